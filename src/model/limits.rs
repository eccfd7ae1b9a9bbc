//! Every fixed bound, with its reason. Bounds that an owner may want to change are settings instead
//! (`config`).

use std::ops::RangeInclusive;
use std::time::Duration;

/// The longest e-mail address, in bytes: the longest that SMTP carries (RFC 5321, 4.5.3.1.3).
pub const EMAIL_BYTES: usize = 254;
/// The longest part of an e-mail address before the `@`, in bytes: the longest that SMTP carries
/// (RFC 5321, 4.5.3.1.1).
pub const EMAIL_LOCAL_BYTES: usize = 64;
/// The longest display name, in characters: the APIs promise it.
pub const NAME_CHARS: usize = 255;
/// The longest password, in characters: the APIs promise it.
pub const PASSWORD_CHARS: usize = 255;
/// The longest password, in bytes: hashing must not process megabytes.
pub const PASSWORD_BYTES: usize = 1024;
/// The memory of one Argon2id hash, in KiB: from the minimum of Argon2 (RFC 9106, 3.1) to 1 GiB,
/// which each hashing thread allocates.
pub const HASH_MEMORY_KIB: RangeInclusive<u32> = 8..=1 << 20;
/// The passes over that memory: more would take longer than a person waits.
pub const HASH_PASSES: RangeInclusive<u32> = 1..=100;
/// The lanes of one Argon2id hash: ours have one, other programs rarely use more than eight.
pub const HASH_LANES: RangeInclusive<u32> = 1..=16;
/// The salt of an Argon2id hash, in bytes: from the minimum of Argon2 to the maximum of a PHC
/// string.
pub const HASH_SALT_BYTES: RangeInclusive<u32> = 8..=48;
/// The output of an Argon2id hash, in bytes: from 128 bits, which nobody can guess, to the maximum
/// of a PHC string.
pub const HASH_OUTPUT_BYTES: RangeInclusive<u32> = 16..=64;
/// The longest stored user agent, in bytes: enough to distinguish devices. Longer ones are cut.
pub const USER_AGENT_BYTES: usize = 256;
/// The longest name of a machine, in bytes: it is a part of keys, which have a fixed width.
pub const MACHINE_NAME_BYTES: usize = 32;
/// The most networks of one machine token: each use compares them all.
pub const MACHINE_NETWORKS: usize = 32;
/// The most names that machines may ever have: a name that was used once stays, because events name
/// it.
pub const MACHINE_NAMES: usize = 10_000;
/// The most machine tokens of one name that live on beside the newest, while clients change over:
/// each change of a machine reads them all.
pub const OVERLAPPING_TOKENS: usize = 4;
/// How long a machine token that is rotated may live on beside its successor.
pub const ROTATION_OVERLAP: RangeInclusive<Duration> =
    Duration::ZERO..=Duration::from_hours(365 * 24);
/// The longest invite code, in characters.
pub const INVITE_CHARS: usize = 255;

/// The longest name of an event, in characters: the API promises it.
pub const EVENT_NAME_CHARS: usize = 255;
/// The longest details of one event, in bytes as received: the API promises it.
pub const EVENT_DETAILS_BYTES: usize = 16 * 1024;
/// The name that stands for all events whose own name has no counter (`events.max_names`).
pub const OTHER_NAMES: &str = "(other)";
/// The most events in one request: the API promises it. It bounds one step of the writer thread.
pub const EVENTS_PER_REQUEST: usize = 10_000;
/// The longest `Idempotency-Key`, in bytes: room for a UUID and more.
pub const IDEMPOTENCY_KEY_BYTES: usize = 255;
/// How long an `Idempotency-Key` is remembered: the API promises it.
pub const IDEMPOTENCY_LIFETIME: Duration = Duration::from_hours(24);

/// The number of events in a page by default.
pub const PAGE_ROWS_USUAL: usize = 100;
/// The most events in a page: it is built in memory.
pub const PAGE_ROWS_MOST: usize = 1_000;

/// The most buckets of one summary: enough for forty days by the hour, or for a chart as wide as a
/// screen.
pub const SUMMARY_BUCKETS: usize = 1_000;
/// The most names that a summary lists.
pub const SUMMARY_NAMES: usize = 50;
/// The most counts that a summary may hold, one for each bucket and name: it is built in memory, 16
/// bytes each.
pub const SUMMARY_CELLS: usize = 1_000_000;
/// The most hours that a summary reads at once: a week, so that many years need no more memory than
/// one week.
pub const SUMMARY_HOURS: u32 = 24 * 7;
/// The most exports at once: each uses a thread and a few hundred KiB of memory.
pub const EXPORTS_AT_ONCE: usize = 4;
/// How long an export runs before it can be ended to make room for another: long enough for most of
/// them to complete.
pub const EXPORT_UNDISTURBED: Duration = Duration::from_secs(30);
/// The size of an export's chunk, in bytes: large enough that sending it costs little, small enough
/// that a few can wait in memory.
pub const EXPORT_CHUNK_BYTES: usize = 64 * 1024;

/// The most live listeners at once: stored events are decoded separately for each.
pub const LIVE_LISTENERS: usize = 16;
/// The most bytes of stored (compressed) events that may wait for one listener. Events beyond that
/// are counted and dropped, so that the queues of all listeners stay within 4 MiB.
pub const LIVE_BUFFER_BYTES: usize = 256 * 1024;
/// How many of the events stored in the meantime are read for a listener that reconnects, whether
/// they match its query or not. Later ones are only counted.
pub const LIVE_RESUME_EVENTS: usize = 10_000;
/// The most bytes of names and details among the matching ones of these events: they are held in
/// memory.
pub const LIVE_RESUME_BYTES: usize = 1024 * 1024;

/// The deepest JSON that is accepted, in levels: a recursive parser must not overflow its stack.
pub const JSON_DEPTH: usize = 128;

/// The shortest time between two writes of a token's last use: reads must not become writes.
pub const LAST_USE_INTERVAL: Duration = Duration::from_mins(1);
/// The same for the use of a machine token from another address than the last: whoever looks for a
/// leak must see it soon.
pub const NEW_ADDRESS_INTERVAL: Duration = Duration::from_secs(1);
/// The most exchanged tokens that a family keeps to detect their reuse: more than a day's worth for
/// a normal client. It bounds how many tokens a misbehaving client can make the store keep.
pub const RETIRED_PER_FAMILY: usize = 32;
/// Two browser tabs that refresh the same access token within this time get the same successor.
pub const REFRESH_GRACE: Duration = Duration::from_secs(10);

/// The first wait before the sending of a mail is tried again; each further one is twice as long.
pub const MAIL_RETRY: Duration = Duration::from_secs(30);
/// The longest wait before the sending of a mail is tried again.
pub const MAIL_LONGEST_WAIT: Duration = Duration::from_hours(1);
/// How long after its request a reset mail is still of use: after a day, its owner has asked again.
pub const RESET_MAIL_LIFETIME: Duration = Duration::from_hours(24);
/// How long after a change the mail that reports it is still of use: as long as mail servers try
/// (RFC 5321, 4.5.4.1).
pub const NOTICE_LIFETIME: Duration = Duration::from_hours(5 * 24);
/// The most old keys beside the one that signs access tokens: whoever verifies tokens fetches all.
pub const OLD_SIGNING_KEYS: usize = 16;
/// The longest note on an invite, in characters.
pub const INVITE_NOTE_CHARS: usize = 255;
/// The most accounts that an invite of the administrator may open: more is a list to be kept in the
/// configuration.
pub const INVITE_USES: RangeInclusive<u32> = 1..=1_000;
/// How long an invite of the administrator may be good: a link in an old mail must not open
/// accounts for ever.
pub const INVITE_LIFETIME: RangeInclusive<Duration> =
    Duration::from_mins(1)..=Duration::from_hours(365 * 24);
/// How long a reset code may be good that the administrator hands over by hand.
pub const RESET_LIFETIME: RangeInclusive<Duration> =
    Duration::from_mins(1)..=Duration::from_hours(7 * 24);
/// The longest template of a mail, in bytes: each mail is built in memory.
pub const TEMPLATE_BYTES: u64 = 64 * 1024;
/// The longest subject of a mail, in characters.
pub const SUBJECT_CHARS: usize = 200;
/// The most mails that may wait at once: a flood of reset requests must not fill the disk.
pub const OUTBOX_ENTRIES: usize = 10_000;
