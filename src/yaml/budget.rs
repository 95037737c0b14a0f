//! What one commit may hold.

/// What is left of what the files of one commit may hold together. A few bytes of text make a value
/// that takes a hundred bytes of memory, so the size of the files alone bounds nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Budget {
    /// YAML documents or JSON values at the top of a file.
    pub(super) documents: usize,
    /// Maps, lists, scalars and keys, what aliases stand for included.
    pub(super) nodes: usize,
}

impl Budget {
    /// Most documents of one commit.
    pub const DOCUMENTS: usize = 20_000;
    /// Most values of one commit: a hundred for each document.
    pub const NODES: usize = 100 * Self::DOCUMENTS;

    /// Says whether a file was refused because nothing was left: no other needs to be read.
    #[must_use]
    pub fn is_spent(&self) -> bool {
        self.documents == 0 && self.nodes == 0
    }

    /// Leaves nothing, and says which limit was reached.
    pub(super) fn exhausted(&mut self, what: &str, most: usize) -> String {
        self.spend(Self::DOCUMENTS, Self::NODES);
        format!("the commit holds more than {most} {what}: split it into several paths")
    }

    /// Takes what was read off what is left.
    pub(super) fn spend(&mut self, documents: usize, nodes: usize) {
        self.documents = self.documents.saturating_sub(documents);
        self.nodes = self.nodes.saturating_sub(nodes);
    }
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            documents: Self::DOCUMENTS,
            nodes: Self::NODES,
        }
    }
}
