//! A node of sled's tree: a leaf with records, or an index with the numbers of further nodes
//! (`node.rs` of sled 0.34.7). Its bytes are a whole node and the changes to it since.

use crate::store::sled::engine::verify::bytes::Bytes;
use crate::store::sled::engine::verify::message::Kind;

/// A node, over the bytes that it was read from.
pub(super) struct Node<'a> {
    /// The node to the right; 0 if this is the last.
    pub(super) next: u64,
    /// It holds what is not less than this and, unless it is the last, less than `high`.
    pub(super) low: &'a [u8],
    pub(super) high: &'a [u8],
    /// What all its keys begin with; they are stored without it.
    pub(super) prefix: &'a [u8],
    pub(super) data: Data<'a>,
}

/// What is in it, in the order of the keys.
pub(super) enum Data<'a> {
    /// Keys and values.
    Leaf(Vec<(&'a [u8], &'a [u8])>),
    /// Keys and the nodes that begin with them.
    Index(Vec<(&'a [u8], u64)>),
}

impl<'a> Node<'a> {
    /// The node of these messages, a whole state and the changes since; none if they do not fit.
    pub(super) fn read(pieces: &'a [(Kind, Vec<u8>)]) -> Option<Node<'a>> {
        let ((kind, whole), changes) = pieces.split_first()?;
        if *kind != Kind::Node {
            return None;
        }
        let mut node = Node::parse(&mut Bytes(whole))?;
        let mut merging = Merging::default();
        for (kind, change) in changes {
            if *kind != Kind::Link {
                return None;
            }
            node.apply(&mut Bytes(change), &mut merging)?;
        }
        Some(node)
    }

    fn parse(fields: &mut Bytes<'a>) -> Option<Node<'a>> {
        let next = fields.varint()?;
        let _merging_child = fields.varint()?;
        let _is_merging = fields.byte()?;
        let prefix = usize::from(fields.byte()?);
        let (low, high) = (fields.string()?, fields.string()?);
        let kind = fields.byte()?;
        let count = fields.count().filter(|count| *count <= fields.0.len())?;
        let keys: Vec<&[u8]> = (0..count).map(|_| fields.string()).collect::<Option<_>>()?;
        let data = match kind {
            0 => {
                let pairs = keys.into_iter().map(|key| Some((key, fields.string()?)));
                Data::Leaf(pairs.collect::<Option<_>>()?)
            }
            1 => {
                let pairs = keys.into_iter().map(|key| Some((key, fields.varint()?)));
                Data::Index(pairs.collect::<Option<_>>()?)
            }
            _ => return None,
        };
        Some(Node {
            next,
            low,
            high,
            prefix: low.get(..prefix)?,
            data,
        })
    }

    fn apply(&mut self, fields: &mut Bytes<'a>, merging: &mut Merging) -> Option<()> {
        match (fields.byte()?, &mut self.data) {
            (0, Data::Leaf(records)) => {
                let (key, value) = (fields.string()?, fields.string()?);
                match records.binary_search_by_key(&key, |(key, _)| key) {
                    Ok(index) => *records.get_mut(index)? = (key, value),
                    Err(index) => records.insert(index, (key, value)),
                }
            }
            (1, Data::Leaf(records)) => {
                let key = fields.string()?;
                if let Ok(index) = records.binary_search_by_key(&key, |(key, _)| key) {
                    records.remove(index);
                }
            }
            (2, Data::Index(_)) => merging.child = fields.varint()?,
            (3, Data::Index(children)) => children.retain(|(_, child)| *child != merging.child),
            // The node to the left takes this one over; until then it holds its records.
            (4, _) => {}
            _ => return None,
        }
        Some(())
    }

    /// Tells every record of a leaf.
    pub(super) fn visit(&self, visit: &mut dyn FnMut(&[u8], &[u8])) {
        let Data::Leaf(records) = &self.data else {
            return;
        };
        let mut key = Vec::new();
        for (rest, value) in records {
            key.clear();
            key.extend_from_slice(self.prefix);
            key.extend_from_slice(rest);
            visit(&key, value);
        }
    }

    /// The child that holds `key`.
    pub(super) fn child(&self, key: &[u8]) -> Option<u64> {
        let Data::Index(children) = &self.data else {
            return None;
        };
        let rest = key.strip_prefix(self.prefix)?;
        let behind = children.partition_point(|(first, _)| *first <= rest);
        children
            .get(behind.checked_sub(1)?)
            .map(|(_, child)| *child)
    }
}

/// The merge of a child into its neighbour that an index has begun.
#[derive(Default)]
struct Merging {
    child: u64,
}

/// The root of the tree with this name, in the list of trees.
pub(super) fn root_of(list: &[u8], name: &[u8]) -> Option<u64> {
    let mut fields = Bytes(list);
    while !fields.is_empty() {
        let (tree, root) = (fields.string()?, fields.varint()?);
        if tree == name {
            return Some(root);
        }
    }
    None
}
