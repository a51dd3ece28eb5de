//! Lists side by side in one piece of memory, by number.

/// Lists of things, numbered from 0.
#[derive(Debug)]
pub(crate) struct Grouped<T> {
    /// Where each list begins in `all`; with the end of the last.
    starts: Box<[u32]>,
    all: Box<[T]>,
}

impl<T> Default for Grouped<T> {
    fn default() -> Self {
        Self { starts: Box::default(), all: Box::default() }
    }
}

impl<T> Grouped<T> {
    /// So many lists, from things with the numbers of their lists. In a list they keep their order.
    pub(crate) fn new(count: usize, things: Vec<(usize, T)>) -> Self {
        let mut lists: Vec<Vec<T>> = Vec::new();
        lists.resize_with(count, Vec::new);
        for (list, thing) in things {
            if let Some(list) = lists.get_mut(list) {
                list.push(thing);
            }
        }
        let mut end = 0;
        let ends = lists.iter().map(|list| {
            end += list.len();
            u32::try_from(end).unwrap_or(u32::MAX)
        });
        Self { starts: std::iter::once(0).chain(ends).collect(), all: lists.into_iter().flatten().collect() }
    }

    /// A list; one that is not there is empty.
    #[inline]
    pub(crate) fn get(&self, list: usize) -> &[T] {
        let start = |list: usize| self.starts.get(list).map(|start| *start as usize);
        let range = start(list).zip(start(list + 1));
        range.and_then(|(from, to)| self.all.get(from..to)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_keep_their_order() {
        let lists = Grouped::new(4, vec![(2, 'a'), (0, 'b'), (2, 'c'), (3, 'd')]);
        let all: Vec<&[char]> = (0..5).map(|list| lists.get(list)).collect();
        assert_eq!(all, [&['b'][..], &[], &['a', 'c'], &['d'], &[]]);
        assert!(Grouped::<u8>::default().get(0).is_empty());
    }
}
