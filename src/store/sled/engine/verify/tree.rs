//! The one tree, read leaf by leaf from the left to the right, as every reader of sled's comes to
//! see it. Damage does not end the walk: it goes on with the next leaf that can be read.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashSet};

use crate::store::sled::engine::verify::damage::Damage;
use crate::store::sled::engine::verify::log::Log;
use crate::store::sled::engine::verify::message::Kind;
use crate::store::sled::engine::verify::node::{Data, Node, root_of};
use crate::store::sled::engine::verify::page_table::{Page, PageTable};

/// The page with the list of trees.
const TREES: u64 = 0;
/// The name of the tree that sled opens by itself.
const DEFAULT_TREE: &[u8] = b"__sled__default";
/// A tree has far fewer levels.
const MOST_LEVELS: usize = 64;

/// The tree that a page table leads to.
pub(super) struct Tree<'a> {
    log: &'a Log,
    table: &'a PageTable,
    /// The pages that were read.
    seen: HashSet<u64>,
    /// The first damage that was met.
    damage: Option<Damage>,
}

type Pieces = Vec<(Kind, Vec<u8>)>;

impl<'a> Tree<'a> {
    pub(super) fn new(log: &'a Log, table: &'a PageTable) -> Tree<'a> {
        Tree {
            log,
            table,
            seen: HashSet::new(),
            damage: None,
        }
    }

    /// Tells every record that can be read, and returns the first damage.
    pub(super) fn visit(mut self, visit: &mut dyn FnMut(&[u8], &[u8])) -> Option<Damage> {
        let mut next = self.first_leaf();
        let mut others = None;
        // Everything before this was told, or cannot be.
        let mut position = Vec::new();
        while let Some(page) = next
            .take()
            .or_else(|| pop_from(others.get_or_insert_with(|| self.other_leaves()), &position))
        {
            let pieces = self.pieces(page);
            let node = pieces.as_ref().and_then(|pieces| Node::read(pieces));
            let Some(node) = node.filter(|node| self.fits(page, node, &position)) else {
                self.note(page, "it is no leaf of the tree");
                continue;
            };
            node.visit(visit);
            if node.high.is_empty() {
                break;
            }
            position.clear();
            position.extend_from_slice(node.high);
            next = (node.next != 0).then_some(node.next);
        }
        self.check_other_pages();
        self.damage
    }

    /// Whether a node is a leaf that begins at `position` or, if its neighbour is missing, behind
    /// it.
    fn fits(&mut self, page: u64, node: &Node<'_>, position: &[u8]) -> bool {
        let is_last = node.high.is_empty();
        let is_ahead = node.low >= position && (is_last || node.high > node.low);
        let fits = is_ahead && matches!(node.data, Data::Leaf(_));
        if fits && node.low != position {
            self.note(page, "its neighbour is missing");
        }
        fits
    }

    /// The record under `key`, read on the way from the root.
    pub(super) fn find(&mut self, key: &[u8]) -> Result<Option<Vec<u8>>, Damage> {
        let mut page = self.root();
        for _ in 0..MOST_LEVELS {
            let pieces = page.and_then(|page| self.pieces(page));
            let Some(node) = pieces.as_ref().and_then(|pieces| Node::read(pieces)) else {
                break;
            };
            if !node.high.is_empty() && key >= node.high {
                page = Some(node.next);
                continue;
            }
            let Data::Leaf(records) = &node.data else {
                page = node.child(key);
                continue;
            };
            let rest = key.strip_prefix(node.prefix);
            let found = records.iter().find(|(it, _)| Some(*it) == rest);
            return Ok(found.map(|(_, value)| value.to_vec()));
        }
        let nowhere = || Damage::of("db", "its tree does not lead anywhere".into());
        Err(self.damage.take().unwrap_or_else(nowhere))
    }

    /// What a page consists of; none, and noted, if that cannot be read.
    fn pieces(&mut self, page: u64) -> Option<Pieces> {
        self.seen.insert(page);
        let read = |pointer| self.log.read(page, pointer);
        let pieces: Result<Pieces, Damage> = self.table.pieces(page).iter().map(read).collect();
        pieces.map_err(|damage| self.damaged(damage)).ok()
    }

    fn damaged(&mut self, damage: Damage) {
        self.damage.get_or_insert(damage);
    }

    fn note(&mut self, page: u64, what: &str) {
        let damage = match self.table.pieces(page).first() {
            Some(piece) => Damage::at("db", piece.offset, format!("page {page}: {what}")),
            None => Damage::of("db", format!("page {page} is missing")),
        };
        self.damaged(damage);
    }

    fn root(&mut self) -> Option<u64> {
        let pieces = self.pieces(TREES)?;
        let root = match pieces.first() {
            Some((Kind::Trees, list)) => root_of(list, DEFAULT_TREE),
            _ => None,
        };
        if root.is_none() {
            self.note(TREES, "the list of trees is missing");
        }
        root
    }

    fn first_leaf(&mut self) -> Option<u64> {
        let mut page = self.root()?;
        for _ in 0..MOST_LEVELS {
            let pieces = self.pieces(page)?;
            let Some(Node {
                data: Data::Index(children),
                ..
            }) = Node::read(&pieces)
            else {
                return Some(page);
            };
            page = children.first()?.1;
        }
        None
    }

    /// All leaves that were not read yet, by their first keys, the last ones first. Of two with the
    /// same first key the one that was written last comes first when they are taken from the end.
    fn other_leaves(&mut self) -> Vec<(Vec<u8>, u64)> {
        let mut leaves: BTreeMap<(Vec<u8>, Reverse<i64>), u64> = BTreeMap::new();
        for page in 0..self.table.pages.len() as u64 {
            if self.seen.contains(&page) || self.table.pieces(page).is_empty() {
                continue;
            }
            let written = self.table.pieces(page).first().map_or(0, |it| it.lsn);
            let pieces = self.pieces(page);
            if let Some(Node {
                low,
                data: Data::Leaf(_),
                ..
            }) = pieces.as_ref().and_then(|pieces| Node::read(pieces))
            {
                leaves.insert((low.to_vec(), Reverse(written)), page);
            }
        }
        leaves
            .into_iter()
            .rev()
            .map(|((low, _), page)| (low, page))
            .collect()
    }

    /// Pages that are no leaves are needed on the way to them.
    fn check_other_pages(&mut self) {
        for (page, state) in (0..).zip(&self.table.pages) {
            match state {
                Page::Unknown => self.note(page, "nothing is known of it"),
                Page::Present(_) if !self.seen.contains(&page) => drop(self.pieces(page)),
                Page::Present(_) | Page::Free => {}
            }
        }
    }
}

/// Takes the leaf with the least first key that is not less than `position`.
fn pop_from(leaves: &mut Vec<(Vec<u8>, u64)>, position: &[u8]) -> Option<u64> {
    while let Some((low, page)) = leaves.pop() {
        if low.as_slice() >= position {
            return Some(page);
        }
    }
    None
}
