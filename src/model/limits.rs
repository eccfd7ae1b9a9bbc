//! Every fixed bound, with its reason. What an owner may want to change is a setting instead
//! (`config`).

use std::time::Duration;

/// An address as SMTP can carry it (RFC 5321, 4.5.3.1.3).
pub const EMAIL_BYTES: usize = 254;
/// A display name: what the APIs promise, counted in characters.
pub const NAME_CHARS: usize = 255;
/// A password, in characters: what the APIs promise.
pub const PASSWORD_CHARS: usize = 255;
/// A password, in bytes: hashing must not be fed megabytes.
pub const PASSWORD_BYTES: usize = 1024;
/// A user agent as it is kept: enough to tell devices apart. Longer ones are cut.
pub const USER_AGENT_BYTES: usize = 256;
/// An invite code.
pub const INVITE_CHARS: usize = 255;

/// An event's name, in characters: what the API promises.
pub const EVENT_NAME_CHARS: usize = 255;
/// One event's details as they came: what the API promises.
pub const EVENT_DETAILS_BYTES: usize = 16 * 1024;
/// The name under which events are counted whose own name has no room among the counters.
pub const OTHER_NAMES: &str = "(other)";
/// Events in one request: what the API promises. It bounds one step of the writer.
pub const EVENTS_PER_REQUEST: usize = 10_000;
/// An `Idempotency-Key`: a UUID and a bit.
pub const IDEMPOTENCY_KEY_BYTES: usize = 255;
/// How long an `Idempotency-Key` is remembered: what the API promises.
pub const IDEMPOTENCY_LIFETIME: Duration = Duration::from_hours(24);

/// Events of one page, if nothing else is asked for.
pub const PAGE_EVENTS_USUAL: usize = 100;
/// Events of one page at the most: it is built in memory.
pub const PAGE_EVENTS_MOST: usize = 1_000;

/// Buckets of one summary: enough for forty days by the hour, or for a chart as wide as a screen.
pub const SUMMARY_BUCKETS: usize = 1_000;
/// Names that a summary lists.
pub const SUMMARY_NAMES: usize = 50;
/// Numbers that a summary may gather, one for each bucket and name: it is built in memory, 16 bytes
/// each.
pub const SUMMARY_CELLS: usize = 1_000_000;
/// Hours that a summary reads at once: a week, so that many years take no more memory than one week
/// does.
pub const SUMMARY_HOURS: u32 = 24 * 7;
/// Exports that may run at once: each keeps a thread busy and a few hundred KiB in memory.
pub const EXPORTS_AT_ONCE: usize = 4;
/// An export's chunk: large enough that sending it costs little, small enough that a few of them
/// wait in memory.
pub const EXPORT_CHUNK_BYTES: usize = 64 * 1024;

/// Who may listen to events at once: what is stored is unpacked anew for each of them.
pub const LIVE_LISTENERS: usize = 16;
/// What may wait for one listener, as it is stored. More is counted and not kept: all listeners
/// together stay in four MiB.
pub const LIVE_BUFFER_BYTES: usize = 256 * 1024;
/// Events that a listener who comes back is told of those that were stored meanwhile; further ones
/// are counted.
pub const LIVE_RESUME_EVENTS: usize = 10_000;
/// What these may say in all, for they are held in memory.
pub const LIVE_RESUME_BYTES: usize = 1024 * 1024;

/// JSON deeper than this is refused: a parser that recurses must not be led off its stack.
pub const JSON_DEPTH: usize = 128;

/// A token's last use is written at most this often: reads must not become writes.
pub const LAST_USE_INTERVAL: Duration = Duration::from_mins(1);
/// Exchanged tokens that a family remembers, so that their reuse is noticed: a day and more of a
/// client that behaves. It bounds what one that does not can make the store keep.
pub const RETIRED_PER_FAMILY: usize = 32;
/// Two tabs that refresh one access token at once both get the same successor within this time.
pub const REFRESH_GRACE: Duration = Duration::from_secs(10);

/// A mail that could not be sent is tried again for this long, then given up.
pub const MAIL_LIFETIME: Duration = Duration::from_mins(30);
/// The first wait before a mail is tried again; each further one is twice as long.
pub const MAIL_RETRY: Duration = Duration::from_secs(15);
/// Mails that may wait at once: a flood of reset requests must not fill the disk.
pub const OUTBOX_ENTRIES: usize = 10_000;
