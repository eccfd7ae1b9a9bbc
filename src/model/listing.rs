//! Lists of accounts and of tokens, page by page.

use super::{
    Email, MachineName, Name, Order, Principal, Token, TokenId, TokenKind, User, UserId, UserNumber,
};

/// Which accounts to list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserQuery {
    /// Accounts whose address, name, or a word of the name begins with this text, in any case. They
    /// come by address, then by name. Without it, all accounts come.
    pub prefix: Option<String>,
    /// Only disabled accounts, or only those that are not.
    pub disabled: Option<bool>,
    /// By what to sort; without a meaning for a prefix.
    pub sort: UserSort,
    /// In which direction; without a meaning for a prefix.
    pub order: Order,
    /// Accounts behind this place.
    pub after: Option<UserPlace>,
    /// The most accounts of a page.
    pub limit: usize,
}

/// By what a list of all accounts is sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserSort {
    /// By signup.
    Created,
    /// By the address in the form in which addresses are compared.
    Email,
    /// By the first 64 bytes of the name in lower case, from its first letter or digit on; accounts
    /// that agree in them come by id.
    Name,
}

/// The place of an account in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UserPlace {
    /// In the order of signups.
    Number(UserNumber),
    /// Among the addresses, by its key.
    Email(String),
    /// Among the words of names.
    Name(String, UserId),
}

/// A page of accounts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UserPage {
    /// The accounts.
    pub users: Vec<User>,
    /// Where to go on, if there may be more. A page may hold fewer accounts than asked for, or
    /// none, and still have a next one: a filter reads a bounded number of records for each page.
    pub next: Option<UserPlace>,
}

/// Changes of an account; none keeps what there is.
#[derive(Debug, Clone, Default)]
pub struct UserEdit {
    /// The name.
    pub name: Option<Name>,
    /// The address.
    pub email: Option<Email>,
    /// Whether it is disabled.
    pub disabled: Option<bool>,
}

/// Which tokens to list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenQuery {
    /// Those of a holder.
    pub holder: Option<Principal>,
    /// Those of a kind.
    pub kind: Option<TokenKind>,
    /// Tokens behind this place.
    pub after: Option<TokenPlace>,
    /// The most tokens of a page.
    pub limit: usize,
}

/// The place of a token in a list: by holder, then by login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenPlace {
    /// Its holder.
    pub holder: Principal,
    /// Its family.
    pub family: TokenId,
    /// Its id.
    pub id: TokenId,
}

/// A page of tokens, those included that are not live any more but still stored.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TokenPage {
    /// The tokens, each with its holder's epoch: none if the account is gone or disabled.
    pub tokens: Vec<(Token, Option<u32>)>,
    /// Where to go on, if there may be more; as for [`UserPage`].
    pub next: Option<TokenPlace>,
}

/// Which machine tokens of the administrator to list: by name, and of one name by id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MachineQuery {
    /// Tokens behind the one with this name and id.
    pub after: Option<(MachineName, TokenId)>,
    /// The most tokens of a page.
    pub limit: usize,
}

/// A page of machine tokens.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MachinePage {
    /// The tokens, each with its holder's epoch: none if the account is gone or disabled.
    pub tokens: Vec<(Token, Option<u32>)>,
    /// Where to go on, if there may be more.
    pub next: Option<(MachineName, TokenId)>,
}
