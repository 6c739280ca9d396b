//! Queues and tables in blocks: one in a single piece is moved when it grows and given back whole, which takes the longer the more
//! it held; here no step costs more than a block.

use std::collections::VecDeque;

use slab::Slab;

/// A queue whose entries are found by their place. Very many are short, so an empty one is little more than a queue in one piece.
#[derive(Debug)]
pub(crate) struct Queue<T> {
    /// What is first, as far as it goes: all there is, mostly.
    first: VecDeque<T>,
    /// The blocks behind it: all but the last are full, and none is empty.
    #[expect(clippy::box_collection, reason = "most queues have none")]
    more: Option<Box<VecDeque<VecDeque<T>>>>,
}

impl<T> Queue<T> {
    pub(crate) const fn new() -> Self {
        Self {
            first: VecDeque::new(),
            more: None,
        }
    }

    fn more(&self) -> Option<(&VecDeque<VecDeque<T>>, &VecDeque<T>)> {
        let more = self.more.as_deref()?;
        more.back().map(|last| (more, last))
    }

    pub(crate) fn len(&self) -> usize {
        let behind = self.more();
        let behind = behind.map_or(0, |(more, last)| (more.len() - 1) * BLOCK + last.len());
        self.first.len() + behind
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.first.is_empty()
    }

    pub(crate) fn front(&self) -> Option<&T> {
        self.first.front()
    }

    pub(crate) fn front_mut(&mut self) -> Option<&mut T> {
        self.first.front_mut()
    }

    pub(crate) fn back(&self) -> Option<&T> {
        self.more().map_or(&self.first, |(_, last)| last).back()
    }

    fn last_mut(&mut self) -> &mut VecDeque<T> {
        let last = self.more.as_deref_mut().and_then(VecDeque::back_mut);
        last.unwrap_or(&mut self.first)
    }

    pub(crate) fn back_mut(&mut self) -> Option<&mut T> {
        self.last_mut().back_mut()
    }

    #[inline]
    pub(crate) fn push_back(&mut self, entry: T) {
        let last = self.last_mut();
        if last.len() < BLOCK {
            last.push_back(entry);
        } else {
            self.more.get_or_insert_default().push_back(block(entry));
        }
    }

    pub(crate) fn push_front(&mut self, entry: T) {
        if self.first.len() < BLOCK {
            self.first.push_front(entry);
        } else {
            let full = std::mem::replace(&mut self.first, block(entry));
            self.more.get_or_insert_default().push_front(full);
        }
    }

    #[inline]
    pub(crate) fn pop_front(&mut self) -> Option<T> {
        let entry = self.first.pop_front();
        if self.first.is_empty()
            && let Some(more) = &mut self.more
            && let Some(next) = more.pop_front()
        {
            self.first = next;
        }
        entry
    }

    pub(crate) fn pop_front_if(&mut self, is_it: impl FnOnce(&T) -> bool) -> Option<T> {
        self.front().is_some_and(is_it).then(|| self.pop_front())?
    }

    pub(crate) fn pop_back(&mut self) -> Option<T> {
        let entry = self.last_mut().pop_back();
        if let Some(more) = &mut self.more {
            more.pop_back_if(|last| last.is_empty());
        }
        entry
    }

    #[inline]
    pub(crate) fn get(&self, index: usize) -> Option<&T> {
        let Some(behind) = index.checked_sub(self.first.len()) else {
            return self.first.get(index);
        };
        self.more.as_ref()?.get(behind / BLOCK)?.get(behind % BLOCK)
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, index: usize) -> Option<&mut T> {
        let Some(behind) = index.checked_sub(self.first.len()) else {
            return self.first.get_mut(index);
        };
        let block = self.more.as_mut()?.get_mut(behind / BLOCK)?;
        block.get_mut(behind % BLOCK)
    }

    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &T> {
        let more = self.more.iter().flat_map(|more| more.iter());
        self.first.iter().chain(more.flatten())
    }
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self::new()
    }
}

/// One that has room for as many as a block holds.
fn block<T>(entry: T) -> VecDeque<T> {
    let mut block = VecDeque::with_capacity(BLOCK);
    block.push_back(entry);
    block
}

/// A table whose entries keep their keys.
#[derive(Debug)]
pub(crate) struct Table<T> {
    blocks: Vec<Slab<T>>,
    /// The numbers of blocks that have room.
    open: Vec<usize>,
}

impl<T> Table<T> {
    pub(crate) const fn new() -> Self {
        Self {
            blocks: Vec::new(),
            open: Vec::new(),
        }
    }

    /// Takes an entry; its key.
    #[inline]
    pub(crate) fn insert(&mut self, entry: T) -> Option<usize> {
        if self.open.is_empty() {
            self.open.push(self.blocks.len());
            self.blocks.push(Slab::new());
        }
        let number = *self.open.last()?;
        let block = self.blocks.get_mut(number)?;
        let key = number * BLOCK + block.insert(entry);
        if block.len() == BLOCK {
            self.open.pop();
        }
        Some(key)
    }

    #[inline]
    pub(crate) fn get(&self, key: usize) -> Option<&T> {
        self.blocks.get(key / BLOCK)?.get(key % BLOCK)
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, key: usize) -> Option<&mut T> {
        self.blocks.get_mut(key / BLOCK)?.get_mut(key % BLOCK)
    }

    #[inline]
    pub(crate) fn remove(&mut self, key: usize) -> Option<T> {
        let block = self.blocks.get_mut(key / BLOCK)?;
        let entry = block.try_remove(key % BLOCK)?;
        if block.len() == BLOCK - 1 {
            self.open.push(key / BLOCK);
        }
        Some(entry)
    }

    /// Drops a block with all that is in it. False if there was none.
    pub(crate) fn drop_block(&mut self) -> bool {
        self.open.clear();
        self.blocks.pop().is_some()
    }
}

/// How many entries a block has.
const BLOCK: usize = 128;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Whether no block is longer than one may be, and none that is not needed is kept.
    fn is_in_blocks<T>(queue: &Queue<T>) -> bool {
        let fits = |block: &VecDeque<T>| block.capacity() <= BLOCK;
        let none = VecDeque::new();
        let more = queue.more.as_deref().unwrap_or(&none);
        let mut full = more.iter().rev().skip(1);
        fits(&queue.first)
            && more.iter().all(|block| fits(block) && !block.is_empty())
            && full.all(|block| block.len() == BLOCK)
            && (!queue.first.is_empty() || more.is_empty())
    }

    proptest! {
        #![proptest_config(oxirtc_netsim::cases(300))]

        /// Whatever is done with it, it is as one in a single piece.
        #[test]
        fn a_queue_is_as_one_in_a_single_piece(steps in proptest::collection::vec((0u8..8, 1usize..300), 1..40)) {
            let (mut queue, mut model) = (Queue::new(), VecDeque::new());
            let mut next = 0;
            for (step, count) in steps {
                for _ in 0..count {
                    next += 1;
                    match step {
                        0..3 => {
                            queue.push_back(next);
                            model.push_back(next);
                        }
                        3 => {
                            queue.push_front(next);
                            model.push_front(next);
                        }
                        4 | 5 => prop_assert_eq!(queue.pop_front(), model.pop_front()),
                        6 => prop_assert_eq!(queue.pop_back(), model.pop_back()),
                        _ => prop_assert_eq!(queue.pop_front_if(|it| it % 3 > 0), model.pop_front_if(|it| *it % 3 > 0)),
                    }
                }
                prop_assert!(is_in_blocks(&queue));
                prop_assert_eq!(queue.len(), model.len());
                prop_assert_eq!(queue.is_empty(), model.is_empty());
                prop_assert_eq!((queue.front(), queue.back()), (model.front(), model.back()));
                prop_assert!(queue.iter().eq(&model) && queue.iter().rev().eq(model.iter().rev()));
                for index in 0..=model.len() {
                    prop_assert_eq!(queue.get(index), model.get(index));
                    prop_assert_eq!(queue.get_mut(index), model.get_mut(index));
                }
            }
        }

        /// Entries keep their keys, and the room of those that went is used again.
        #[test]
        fn a_table_keeps_its_keys(steps in proptest::collection::vec((any::<bool>(), 1usize..400), 1..20)) {
            let mut table = Table::new();
            let mut model = std::collections::BTreeMap::new();
            let mut most = 0;
            for (fill, count) in steps {
                for entry in 0..count {
                    if fill {
                        let key = table.insert(entry).unwrap();
                        prop_assert_eq!(model.insert(key, entry), None);
                    } else if let Some((key, entry)) = model.pop_first() {
                        prop_assert_eq!(table.remove(key), Some(entry));
                        prop_assert_eq!(table.remove(key), None);
                    }
                }
                most = most.max(model.len());
                prop_assert!(table.blocks.len() <= most.div_ceil(BLOCK), "no more than were needed at once");
                prop_assert!(table.blocks.iter().all(|block| block.capacity() <= BLOCK));
                for (key, entry) in &mut model {
                    prop_assert_eq!(table.get(*key), Some(&*entry));
                    prop_assert_eq!(table.get_mut(*key), Some(entry));
                }
            }
            let blocks = table.blocks.len();
            prop_assert_eq!((0..=blocks).filter(|_| table.drop_block()).count(), blocks);
            prop_assert!(table.get(0).is_none() && table.insert(1).is_some());
        }
    }
}
