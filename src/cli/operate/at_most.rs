//! The option that bounds a list.

use clap::Args;

/// How many rows a list has at most: `USUAL` without the option.
#[derive(Args)]
pub(super) struct AtMost<const USUAL: usize> {
    #[arg(
        long,
        value_name = "NUMBER",
        default_value_t = USUAL,
        help = "How many at most"
    )]
    pub(super) limit: usize,
}
