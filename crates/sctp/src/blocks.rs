//! Queues and tables in blocks: one in a single piece is moved when it grows and given back whole, which takes the longer the more
//! it held; here no step costs more than a block.

use std::collections::VecDeque;

use slab::Slab;

/// A queue whose entries are found by their place. Very many are short, so an empty one is small.
#[derive(Debug)]
pub(crate) struct Queue<T> {
    /// Empty only if all is.
    first: VecDeque<T>,
    /// Empty only if nothing is behind the first.
    last: VecDeque<T>,
    between: Option<Box<Between<T>>>,
}

/// The blocks between the first and the last.
#[derive(Debug)]
struct Between<T> {
    full: VecDeque<VecDeque<T>>,
    /// Room that was used before.
    empty: VecDeque<VecDeque<T>>,
}

impl<T> Queue<T> {
    /// How many entries take as much as the lists of blocks do while they are short, at most: many streams may have some.
    const LISTS: usize = (size_of::<Between<T>>() + 2 * FEW * Self::SLOTS).div_ceil(size_of::<T>());
    /// And as each block more that stands in them.
    const LISTED: usize = Self::SLOTS.div_ceil(size_of::<T>());
    /// What a list of blocks has room for, for each block, at most.
    const SLOTS: usize = SLACK * size_of::<VecDeque<T>>();

    pub(crate) const fn new() -> Self {
        Self {
            first: VecDeque::new(),
            last: VecDeque::new(),
            between: None,
        }
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        let between = self.between.as_ref().map_or(0, |it| it.full.len() * BLOCK);
        self.first.len() + between + self.last.len()
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.first.is_empty()
    }

    #[inline]
    pub(crate) fn front(&self) -> Option<&T> {
        self.first.front()
    }

    #[inline]
    pub(crate) fn front_mut(&mut self) -> Option<&mut T> {
        self.first.front_mut()
    }

    #[inline]
    pub(crate) fn back_mut(&mut self) -> Option<&mut T> {
        match self.last.is_empty() {
            true => self.first.back_mut(),
            false => self.last.back_mut(),
        }
    }

    /// Puts an entry at the end. For how many more there is room now: most often for none.
    #[inline]
    pub(crate) fn push_back(&mut self, entry: T) -> usize {
        let mut more = 0;
        let block = if self.last.is_empty() && self.first.len() < BLOCK {
            &mut self.first
        } else {
            if self.last.len() == BLOCK {
                more = self.follow_last();
            }
            &mut self.last
        };
        let before = block.capacity();
        block.push_back(entry);
        more + block.capacity() - before
    }

    /// Puts an empty block behind the last one, which is full. For how many more there is room now.
    #[cold]
    fn follow_last(&mut self) -> usize {
        let lists = if self.between.is_none() {
            Self::LISTS
        } else {
            0
        };
        let between = self.between.get_or_insert_default();
        let used = take(&mut between.empty);
        let more = if used.is_some() {
            0
        } else {
            BLOCK + Self::LISTED
        };
        let fresh = used.unwrap_or_else(block);
        let full = std::mem::replace(&mut self.last, fresh);
        between.full.push_back(full);
        lists + more
    }

    pub(crate) fn push_front(&mut self, entry: T) {
        if self.first.len() == BLOCK {
            let full = std::mem::replace(&mut self.first, block());
            match self.last.is_empty() {
                true => self.last = full,
                false => self.between.get_or_insert_default().full.push_front(full),
            }
        }
        self.first.push_front(entry);
    }

    #[inline]
    pub(crate) fn pop_front(&mut self) -> Option<T> {
        let entry = self.first.pop_front();
        if self.first.is_empty() && !self.last.is_empty() {
            self.follow();
        }
        entry
    }

    /// Puts what follows in the place of the first block, which is empty now.
    fn follow(&mut self) {
        let between = self.between.as_deref_mut();
        match between.and_then(|it| Some((take(&mut it.full)?, &mut it.empty))) {
            Some((next, empty)) => empty.push_back(std::mem::replace(&mut self.first, next)),
            None => std::mem::swap(&mut self.first, &mut self.last),
        }
    }

    /// Takes the last. The room that it had goes with it.
    pub(crate) fn pop_back(&mut self) -> Option<T> {
        let entry = self.last.pop_back().or_else(|| self.first.pop_back());
        if let Some(between) = &mut self.between {
            take(&mut between.empty);
            if self.last.is_empty()
                && let Some(full) = between.full.pop_back()
            {
                self.last = full;
                shorten(&mut between.full);
            }
        }
        entry
    }

    /// For how many entries there is room; what lists of blocks take counts as entries.
    pub(crate) fn room(&self) -> usize {
        let blocks = |it: &Between<T>| it.full.len() + it.empty.len();
        let lists = |it| Self::LISTS + blocks(it) * (BLOCK + Self::LISTED);
        let between = self.between.as_deref().map_or(0, lists);
        self.first.capacity() + between + self.last.capacity()
    }

    /// Gives back room that is many times what is used, two blocks at most. For how many entries it was.
    #[cold]
    pub(crate) fn fit(&mut self) -> usize {
        let before = self.room();
        if let Some(between) = &mut self.between {
            take(&mut between.empty);
        }
        let no_more = |it: &mut Box<Between<T>>| it.full.is_empty() && it.empty.is_empty();
        self.between.take_if(no_more);
        let length = self.first.len() + self.last.len();
        if self.between.is_none() && length <= BLOCK / 4 {
            // Only a first block that is as long as one may be has others behind it.
            self.first.extend(std::mem::take(&mut self.last));
            // A power of two, so that it grows to that length and not beyond.
            let room = (2 * length).next_power_of_two().max(FEW);
            if self.first.capacity() > 2 * room {
                self.first.shrink_to(room);
            }
        }
        before - self.room()
    }

    #[inline]
    pub(crate) fn get(&self, index: usize) -> Option<&T> {
        let Some(mut behind) = index.checked_sub(self.first.len()) else {
            return self.first.get(index);
        };
        if let Some(between) = &self.between {
            if let Some(block) = between.full.get(behind / BLOCK) {
                return block.get(behind % BLOCK);
            }
            behind -= between.full.len() * BLOCK;
        }
        self.last.get(behind)
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, index: usize) -> Option<&mut T> {
        let Some(mut behind) = index.checked_sub(self.first.len()) else {
            return self.first.get_mut(index);
        };
        if let Some(between) = &mut self.between {
            let blocks = between.full.len();
            if let Some(block) = between.full.get_mut(behind / BLOCK) {
                return block.get_mut(behind % BLOCK);
            }
            behind -= blocks * BLOCK;
        }
        self.last.get_mut(behind)
    }

    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &T> {
        let between = self.between.iter().flat_map(|it| it.full.iter().flatten());
        self.first.iter().chain(between).chain(&self.last)
    }
}

/// Takes the first of a list of blocks.
fn take<T>(blocks: &mut VecDeque<VecDeque<T>>) -> Option<VecDeque<T>> {
    let block = blocks.pop_front();
    shorten(blocks);
    block
}

/// A list of blocks of which one was taken keeps little room that it does not use.
fn shorten<T>(blocks: &mut VecDeque<VecDeque<T>>) {
    if blocks.capacity() > SLACK * blocks.len().max(FEW) {
        blocks.shrink_to(2 * blocks.len());
    }
}

impl<T> Default for Between<T> {
    fn default() -> Self {
        Self {
            full: VecDeque::new(),
            empty: VecDeque::new(),
        }
    }
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self::new()
    }
}

/// Room for as many as a block holds.
fn block<T>() -> VecDeque<T> {
    VecDeque::with_capacity(BLOCK)
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
const BLOCK: usize = 512;
/// Room for so many entries is not given back while there are any.
const FEW: usize = 4;
/// A list of blocks has room for so many times as many as it has, or as are few.
const SLACK: usize = 4;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Whether no block is longer than one may be, and those between are full.
    fn is_in_blocks<T>(queue: &Queue<T>) -> bool {
        let fits = |block: &VecDeque<T>| block.capacity() <= BLOCK;
        let none = Between::default();
        let between = queue.between.as_deref().unwrap_or(&none);
        fits(&queue.first)
            && fits(&queue.last)
            && between.full.iter().all(|it| fits(it) && it.len() == BLOCK)
            && between.empty.iter().all(|it| fits(it) && it.is_empty())
            && (!queue.first.is_empty() || queue.last.is_empty())
            && (!queue.last.is_empty() || between.full.is_empty())
    }

    /// How many bytes it has asked for.
    fn taken<T>(queue: &Queue<T>) -> usize {
        let block = |it: &VecDeque<T>| it.capacity() * size_of::<T>();
        let list = |it: &VecDeque<VecDeque<T>>| {
            it.capacity() * size_of::<VecDeque<T>>() + it.iter().map(block).sum::<usize>()
        };
        let lists = |it: &Between<T>| size_of::<Between<T>>() + list(&it.full) + list(&it.empty);
        block(&queue.first) + block(&queue.last) + queue.between.as_deref().map_or(0, lists)
    }

    proptest! {
        #![proptest_config(oxirtc_netsim::cases(300))]

        /// Whatever is done with it, it is as one in a single piece.
        #[test]
        fn a_queue_is_as_one_in_a_single_piece(steps in proptest::collection::vec((0u8..8, 1usize..1200), 1..40)) {
            let (mut queue, mut model) = (Queue::new(), VecDeque::new());
            let mut next = 0;
            for (step, count) in steps {
                let mut room = queue.room();
                for _ in 0..count {
                    next += 1;
                    match step {
                        0..3 => {
                            room += queue.push_back(next);
                            model.push_back(next);
                            prop_assert_eq!(queue.room(), room);
                        }
                        3 => {
                            queue.push_front(next);
                            model.push_front(next);
                        }
                        4 | 5 => prop_assert_eq!(queue.pop_front(), model.pop_front()),
                        6 if count % 2 == 0 => {
                            room = queue.room();
                            prop_assert_eq!(queue.fit(), room - queue.room());
                            prop_assert_eq!(queue.pop_front(), model.pop_front());
                        }
                        _ => prop_assert_eq!(queue.pop_back(), model.pop_back()),
                    }
                }
                prop_assert!(is_in_blocks(&queue));
                prop_assert!(queue.room() * size_of::<i32>() >= taken(&queue));
                prop_assert_eq!(queue.len(), model.len());
                prop_assert_eq!(queue.is_empty(), model.is_empty());
                prop_assert_eq!(queue.back_mut(), model.back_mut());
                prop_assert_eq!(queue.front(), model.front());
                prop_assert!(queue.iter().eq(&model) && queue.iter().rev().eq(model.iter().rev()));
                for index in 0..=model.len() {
                    prop_assert_eq!(queue.get(index), model.get(index));
                    prop_assert_eq!(queue.get_mut(index), model.get_mut(index));
                }
            }
        }

        /// Entries keep their keys, and the room of those that went is used again.
        #[test]
        fn a_table_keeps_its_keys(steps in proptest::collection::vec((any::<bool>(), 1usize..1600), 1..20)) {
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
