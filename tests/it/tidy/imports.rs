//! Finds which file uses which: it follows every `use` and every path in code to the file that
//! defines the name.

use std::collections::{BTreeMap, BTreeSet};

use super::words::{defines, words};
use super::{Source, without_tests};

/// The search for a name follows at most this many `use` lines.
const HOPS: usize = 16;

/// The path of a module or of a name in it.
type Path<'a> = Vec<&'a str>;

/// One file uses a name of another.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Edge<'a> {
    pub(crate) from: &'a str,
    pub(crate) to: &'a str,
    /// The name; `*` for a module as a whole.
    pub(crate) name: &'a str,
    /// Whether the file only re-exports the name, with `pub use`.
    pub(crate) passed_on: bool,
}

/// A name that a `use` imports; `*` for all names of a module.
struct Use<'a> {
    name: &'a str,
    path: Path<'a>,
    public: bool,
}

/// A source file.
struct Module<'a> {
    file: &'a str,
    words: Vec<&'a str>,
    uses: Vec<Use<'a>>,
    /// The paths in its code outside of `use`.
    paths: Vec<Path<'a>>,
}

/// The module or the name that a path leads to.
enum Target<'a> {
    Module(Path<'a>),
    Name { file: &'a str, name: &'a str },
}

/// The modules of a crate.
struct Modules<'a>(BTreeMap<Path<'a>, Module<'a>>);

/// All uses between the files of a crate whose root file is `root`.
pub(crate) fn edges<'a>(root: &str, sources: &'a [Source]) -> BTreeSet<Edge<'a>> {
    let modules = sources.iter().map(|(file, text)| {
        let path = if file == root {
            Vec::new()
        } else {
            module_path(file)
        };
        (path, module(file, without_tests(text)))
    });
    let modules = Modules(modules.collect());
    let mut edges = BTreeSet::new();
    for (path, module) in &modules.0 {
        let mut add = |used: &[&'a str], all, passed_on| {
            let (to, name) = match modules.follow(path, used, HOPS) {
                Some(Target::Name { file, name }) => (file, name),
                Some(Target::Module(found)) if all || passed_on => (modules.0[&found].file, "*"),
                _ => return,
            };
            let from = module.file;
            if from != to {
                edges.insert(Edge {
                    from,
                    to,
                    name,
                    passed_on,
                });
            }
        };
        for line in &module.uses {
            add(&line.path, line.name == "*", line.public);
        }
        for used in &module.paths {
            add(used, false, false);
        }
    }
    edges
}

/// `a/b.rs` and `a/b/mod.rs` are both the module `a::b`.
fn module_path(file: &str) -> Path<'_> {
    let stem = file.trim_end_matches(".rs").trim_end_matches("/mod");
    stem.split('/').collect()
}

/// Reads the uses and paths of a file.
fn module<'a>(file: &'a str, text: &'a str) -> Module<'a> {
    let words = words(text);
    let (mut uses, mut paths) = (Vec::new(), Vec::new());
    let mut at = 0;
    while at < words.len() {
        if words[at] == "use" && words[at + 1] != "<" {
            let public = at > 0 && ["pub", ")"].contains(&words[at - 1]);
            at += 1;
            read_use(&words, &mut at, &[], public, &mut uses);
        } else if let Some(path) = path_at(&words, at) {
            at += 2 * path.len() - 1;
            paths.push(path);
        } else {
            at += 1;
        }
    }
    Module {
        file,
        words,
        uses,
        paths,
    }
}

/// Reads one branch of a `use` from `at` on, up to the comma, brace or semicolon behind it.
fn read_use<'a>(
    words: &[&'a str],
    at: &mut usize,
    prefix: &[&'a str],
    public: bool,
    uses: &mut Vec<Use<'a>>,
) {
    let mut path = prefix.to_vec();
    let mut name = None;
    while ![",", "}", ";"].contains(&words[*at]) {
        match words[*at] {
            "{" => {
                while words[*at] != "}" {
                    *at += 1;
                    if words[*at] != "}" {
                        read_use(words, at, &path, public, uses);
                    }
                }
                *at += 1;
                return;
            }
            "::" => {}
            "*" => name = Some("*"),
            "as" => {
                *at += 1;
                name = Some(words[*at]);
            }
            "self" if !path.is_empty() => {}
            word => path.push(word),
        }
        *at += 1;
    }
    let name = name.or(path.last().copied()).unwrap_or_default();
    uses.push(Use { name, path, public });
}

/// The path that begins at the word `at`; none for fields, methods and the name of a `fn` or `mod`.
fn path_at<'a>(words: &[&'a str], at: usize) -> Option<Path<'a>> {
    let is_name = |at: usize| {
        words
            .get(at)
            .is_some_and(|it| it.starts_with(|c: char| c == '_' || c.is_alphabetic()))
    };
    let before = |back: usize| at.checked_sub(back).map_or("", |at| words[at]);
    let is_member = before(1) == "." && before(2) != ".";
    if !is_name(at) || is_member || ["::", "fn", "mod"].contains(&before(1)) {
        return None;
    }
    let mut path = vec![words[at]];
    let mut end = at + 1;
    while words.get(end) == Some(&"::") && is_name(end + 1) {
        path.push(words[end + 1]);
        end += 2;
    }
    let is_field = path.len() == 1 && words.get(end) == Some(&":");
    (!is_field).then_some(path)
}

impl<'a> Modules<'a> {
    /// Follows a path in the module `from`. None: the name is from a library or of this file, or
    /// `hops` is used up.
    fn follow(&self, from: &[&'a str], path: &[&'a str], hops: usize) -> Option<Target<'a>> {
        let hops = hops.checked_sub(1)?;
        let mut at = from.to_vec();
        for (place, name) in path.iter().copied().enumerate() {
            match name {
                "crate" => at.clear(),
                "super" => drop(at.pop()),
                "self" => {}
                _ => {
                    let module = self.0.get(&at)?;
                    let rest = &path[place + 1..];
                    let child = [&at[..], &[name]].concat();
                    let renamed = module
                        .uses
                        .iter()
                        .find(|it| it.name == name && it.path != [name]);
                    if self.0.contains_key(&child) && (renamed.is_none() || !rest.is_empty()) {
                        at = child;
                    } else if let Some(line) = renamed {
                        return self.follow(&at, &[&line.path, rest].concat(), hops);
                    } else if let Some(file) = self.find_in_globs(&at, name, hops) {
                        return Some(Target::Name { file, name });
                    } else {
                        let file = module.file;
                        return (place > 0).then_some(Target::Name { file, name });
                    }
                }
            }
        }
        Some(Target::Module(at))
    }

    /// The file that defines a name that a module imports with `*`.
    fn find_in_globs(&self, at: &[&'a str], name: &str, hops: usize) -> Option<&'a str> {
        let mut globs = self.0[at].uses.iter().filter(|line| line.name == "*");
        globs.find_map(|line| match self.follow(at, &line.path, hops)? {
            Target::Module(path) if path != at => {
                let module = self.0.get(&path)?;
                defines(&module.words, name).then_some(module.file)
            }
            _ => None,
        })
    }
}
