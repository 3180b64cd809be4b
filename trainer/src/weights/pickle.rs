//! What pickles stand for, before they are read: the reader copies what they take from their
//! memo, and names a tensor by all keys that lead to it, so that a megabyte can stand for
//! terabytes. Here its stack machine runs with sizes in the place of values, and takes no
//! string and no name for shorter than it is (opcodes: CPython, `Lib/pickletools.py`).

use std::collections::HashMap;

/// The most bytes of copies and names.
const MOST: u64 = 1 << 26;

/// The same of a pickle beside the tensors': an error of the reader shows it in full.
const LITTLE: u64 = 1 << 20;

/// How often a name is in memory: in the reader's tensors and its map, in ours and in
/// what is said of those that do not fit.
const NAMED: u64 = 4;

/// Bytes of a value beside those of its strings; the reader bounds their number, too.
const VALUE: u64 = 32;

/// Bytes of a dictionary's table, in which there is room for four.
const TABLE: u64 = 400;

/// The longest part of a name that is no string: a number of 64 bits.
const NUMBER: u64 = 20;

/// Refuses an archive's `pickle` if it stands for too much.
pub(super) fn check(pickle: &[u8]) -> Result<(), String> {
    check_row(pickle, &[MOST], false)
}

/// The same for the `start` of a file of before PyTorch 1.6, where `more` may follow: two
/// numbers, the system, the tensors and the keys of their storages, each a pickle.
pub(super) fn check_legacy(start: &[u8], more: bool) -> Result<(), String> {
    check_row(start, &[LITTLE, LITTLE, LITTLE, MOST, LITTLE], more)
}

/// Pickles in a row, each with its limit.
fn check_row(mut bytes: &[u8], limits: &[u64], more: bool) -> Result<(), String> {
    let length = bytes.len();
    for limit in limits {
        let mut walk = Walk::new(bytes);
        let end = walk.run();
        if walk.made > *limit {
            return Err(format!(
                "the copies and names in its pickle take more than {limit} bytes"
            ));
        }
        match end {
            Ok(()) => bytes = walk.rest,
            Err(End::Cut) if more => {
                return Err(format!("its pickle has more than {length} bytes"));
            }
            // The reader comes no further, and says why.
            Err(End::Cut | End::Broken) => break,
        }
    }
    Ok(())
}

/// Why a pickle ends too early.
enum End {
    /// There are no more bytes.
    Cut,
    /// The reader would refuse it here.
    Broken,
}

/// What a value takes.
#[derive(Clone, Copy)]
struct Value {
    /// Bytes of a copy.
    bytes: u64,
    /// Bytes of the longest string in it.
    longest: u64,
    /// How many tensors are in it, or storages to make them of.
    tensors: u64,
    /// Bytes of their names from here on.
    names: u64,
    /// Its place in the memo, which sees what is set on it later.
    place: Option<u32>,
}

impl Value {
    /// A string, or nothing that is larger.
    fn new(length: u64) -> Self {
        Self {
            bytes: VALUE.saturating_add(length),
            longest: length.max(NUMBER),
            tensors: 0,
            names: 0,
            place: None,
        }
    }

    /// Adds a part that has a name of `key` bytes in it.
    fn add(&mut self, part: Self, key: u64) {
        let keys = part.tensors.saturating_mul(key.saturating_add(1));
        let names = part.names.saturating_add(keys);
        self.bytes = self.bytes.saturating_add(part.bytes);
        self.longest = self.longest.max(part.longest);
        self.tensors = self.tensors.saturating_add(part.tensors);
        self.names = self.names.saturating_add(names);
    }

    fn add_items(&mut self, items: &[Self]) {
        for &item in items {
            self.add(item, NUMBER);
        }
    }

    /// Adds the items of a dictionary, key after value after key.
    fn add_pairs(&mut self, items: &[Self]) {
        self.bytes = self.bytes.saturating_add(TABLE);
        for &[key, value] in items.as_chunks().0 {
            self.add(key, 0);
            self.add(value, key.longest);
        }
    }
}

/// The reader's machine, with sizes.
struct Walk<'a> {
    rest: &'a [u8],
    stack: Vec<Value>,
    /// Heights of the stack.
    marks: Vec<usize>,
    memo: HashMap<u32, Value>,
    /// Bytes of copies and names so far.
    made: u64,
}

impl<'a> Walk<'a> {
    fn new(rest: &'a [u8]) -> Self {
        Self {
            rest,
            stack: Vec::new(),
            marks: Vec::new(),
            memo: HashMap::new(),
            made: 0,
        }
    }

    /// Walks to the end of a pickle.
    fn run(&mut self) -> Result<(), End> {
        loop {
            match self.take(1)?[0] {
                b'.' => break,
                opcode => self.step(opcode)?,
            }
        }
        let names = self.pop()?.names.saturating_mul(NAMED);
        self.made = self.made.saturating_add(names);
        Ok(())
    }

    fn step(&mut self, opcode: u8) -> Result<(), End> {
        match opcode {
            // The protocol's version, the length of a frame.
            0x80 => self.skip(1),
            0x95 => self.skip(8),
            // Nothing, truth, empty containers, numbers.
            b'N' | 0x88 | 0x89 | b')' | b']' | b'}' | 0x8f => self.scalar(0),
            b'K' => self.scalar(1),
            b'M' => self.scalar(2),
            b'J' => self.scalar(4),
            b'G' => self.scalar(8),
            // Numbers and strings behind their length, or up to the end of a line.
            b'C' | b'U' | 0x8a | 0x8c => self.string(1),
            b'B' | b'T' | b'X' | 0x8b => self.string(4),
            0x8d | 0x8e | 0x96 => self.string(8),
            b'I' | b'L' | b'F' | b'V' => self.lines(1),
            b'c' => self.lines(2),
            b'(' => {
                self.marks.push(self.stack.len());
                Ok(())
            }
            b'0' => self.discard(),
            b'1' => self.pop_to_mark().map(drop),
            b'2' => self.duplicate(),
            b'g' => self.index().and_then(|place| self.get(place)),
            b'h' => self.number(1).and_then(|place| self.get(place as u32)),
            b'j' => self.number(4).and_then(|place| self.get(place as u32)),
            b'p' => self.index().and_then(|place| self.put(place)),
            b'q' => self.number(1).and_then(|place| self.put(place as u32)),
            b'r' => self.number(4).and_then(|place| self.put(place as u32)),
            0x94 => self.put(self.memo.len() as u32),
            // Tuples, classes by their names, objects.
            0x85 => self.gather(1),
            0x86 | 0x93 | 0x81 => self.gather(2),
            0x87 | 0x92 => self.gather(3),
            b't' | b'l' | 0x91 => {
                let items = self.pop_to_mark()?;
                self.push_with(|new| new.add_items(&items))
            }
            b'd' => {
                let items = self.pop_to_mark()?;
                self.push_with(|new| new.add_pairs(&items))
            }
            b'a' => {
                let item = self.pop()?;
                self.top().map(|list| list.add_items(&[item]))
            }
            b'e' | 0x90 => {
                let items = self.pop_to_mark()?;
                self.top().map(|list| list.add_items(&items))
            }
            b's' => {
                let (value, key) = (self.pop()?, self.pop()?);
                self.top()
                    .map(|dictionary| dictionary.add_pairs(&[key, value]))
            }
            b'u' => {
                let items = self.pop_to_mark()?;
                self.top().map(|dictionary| dictionary.add_pairs(&items))
            }
            b'Q' => self.storage(),
            b'R' => self.call(),
            b'b' => self.build(),
            _ => Err(End::Broken),
        }
    }

    fn take(&mut self, count: u64) -> Result<&'a [u8], End> {
        let count = usize::try_from(count).map_err(|_| End::Cut)?;
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(End::Cut)?;
        self.rest = rest;
        Ok(taken)
    }

    fn skip(&mut self, count: u64) -> Result<(), End> {
        self.take(count).map(drop)
    }

    fn number(&mut self, width: u64) -> Result<u64, End> {
        let bytes = self.take(width)?.iter().rev();
        Ok(bytes.fold(0, |number, &byte| number << 8 | u64::from(byte)))
    }

    fn line(&mut self) -> Result<&'a [u8], End> {
        let end = self.rest.iter().position(|&byte| byte == b'\n');
        let line = self.take(end.ok_or(End::Cut)? as u64)?;
        self.skip(1)?;
        Ok(line.strip_suffix(b"\r").unwrap_or(line))
    }

    fn index(&mut self) -> Result<u32, End> {
        let index = str::from_utf8(self.line()?).ok();
        index.and_then(|text| text.parse().ok()).ok_or(End::Broken)
    }

    /// A new value, which is not in the memo yet.
    fn push(&mut self, value: Value) -> Result<(), End> {
        let place = None;
        self.stack.push(Value { place, ..value });
        Ok(())
    }

    fn push_with(&mut self, fill: impl FnOnce(&mut Value)) -> Result<(), End> {
        let mut value = Value::new(0);
        fill(&mut value);
        self.push(value)
    }

    fn scalar(&mut self, width: u64) -> Result<(), End> {
        self.skip(width)?;
        self.push(Value::new(0))
    }

    fn string(&mut self, width: u64) -> Result<(), End> {
        let length = self.number(width)?;
        self.skip(length)?;
        self.push(Value::new(length))
    }

    /// Lines in Latin-1, of which UTF-8 can take twice the bytes.
    fn lines(&mut self, count: usize) -> Result<(), End> {
        let mut length = 0;
        for _ in 0..count {
            length += 2 * self.line()?.len() as u64;
        }
        self.push(Value::new(length))
    }

    fn is_mark_on_top(&self) -> bool {
        self.marks.last() == Some(&self.stack.len())
    }

    fn top(&mut self) -> Result<&mut Value, End> {
        match self.is_mark_on_top() {
            true => Err(End::Broken),
            false => self.stack.last_mut().ok_or(End::Broken),
        }
    }

    fn pop(&mut self) -> Result<Value, End> {
        let top = *self.top()?;
        self.stack.pop();
        Ok(top)
    }

    fn pop_to_mark(&mut self) -> Result<Vec<Value>, End> {
        let mark = self.marks.pop().ok_or(End::Broken)?;
        Ok(self.stack.split_off(mark))
    }

    fn discard(&mut self) -> Result<(), End> {
        match self.is_mark_on_top() {
            true => self.marks.pop().map(drop).ok_or(End::Broken),
            false => self.pop().map(drop),
        }
    }

    fn gather(&mut self, count: usize) -> Result<(), End> {
        let mut all = Value::new(0);
        for _ in 0..count {
            all.add(self.pop()?, NUMBER);
        }
        self.push(all)
    }

    fn duplicate(&mut self) -> Result<(), End> {
        let top = *self.top()?;
        self.push_copy(top)
    }

    fn get(&mut self, place: u32) -> Result<(), End> {
        let value = *self.memo.get(&place).ok_or(End::Broken)?;
        self.push_copy(value)
    }

    fn put(&mut self, place: u32) -> Result<(), End> {
        let top = self.top()?;
        top.place = Some(place);
        let top = *top;
        self.remember(place, top)
    }

    fn push_copy(&mut self, value: Value) -> Result<(), End> {
        self.made = self.made.saturating_add(value.bytes);
        self.stack.push(value);
        Ok(())
    }

    fn remember(&mut self, place: u32, value: Value) -> Result<(), End> {
        self.made = self.made.saturating_add(value.bytes);
        self.memo.insert(place, value);
        Ok(())
    }

    /// A storage, by a tuple that says where it is.
    fn storage(&mut self) -> Result<(), End> {
        let found = self.pop()?;
        self.push(Value {
            tensors: 1,
            names: 0,
            ..found
        })
    }

    /// A call, which makes a tensor of a storage, or a dictionary of pairs in a list.
    fn call(&mut self) -> Result<(), End> {
        let arguments = self.pop()?;
        let mut result = self.pop()?;
        result.add(arguments, arguments.longest);
        self.push(result)
    }

    /// Sets the state of an object, in the memo too.
    fn build(&mut self) -> Result<(), End> {
        let state = self.pop()?;
        let mut object = self.pop()?;
        object.add(state, 0);
        if let Some(place) = object.place {
            self.remember(place, object)?;
        }
        self.push(object)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// A string of so many bytes.
    fn text(length: u32) -> Vec<u8> {
        [
            b"X",
            &length.to_le_bytes()[..],
            &vec![b'k'; length as usize],
        ]
        .concat()
    }

    /// A storage with a key of so many bytes.
    fn storage(key: u32) -> Vec<u8> {
        let [kind, key, device] = [text(7), text(key), text(3)];
        [
            b"(",
            &kind[..],
            b"ctorch\nFloatStorage\n",
            &key,
            &device,
            b"K\x01tQ",
        ]
        .concat()
    }

    /// A tensor of so many sizes, each 1.
    fn tensor(rank: usize) -> Vec<u8> {
        let sizes = [b"(", &b"K\x01".repeat(rank)[..], b"t"].concat();
        let class = b"ctorch._utils\n_rebuild_tensor_v2\n(";
        let rest = b"\x89ccollections\nOrderedDict\n)RtR";
        [class, &storage(1)[..], b"K\x00", &sizes, &sizes, rest].concat()
    }

    /// `value`, and then again and again from the memo, in a tuple in a dictionary.
    fn repeated(key: u32, value: &[u8], times: usize) -> Vec<u8> {
        let (key, again) = (text(key), b"h\x00".repeat(times));
        [
            b"\x80\x02}",
            &key[..],
            b"(",
            value,
            b"q\x00",
            &again,
            b"ts.",
        ]
        .concat()
    }

    #[test]
    fn whatever_a_megabyte_can_stand_for_is_counted() {
        let long = 1 << 16;
        let class = [b"c", &vec![b'k'; long][..], b"\nx\n"].concat();
        let key = [b"}", &text(1 << 16)[..], b"Ns"].concat();
        let pairs = [b"ccollections\nOrderedDict\n(", &text(1 << 16)[..]].concat();
        let pairs = [&pairs[..], &tensor(1), b"\x86l\x85R"].concat();
        let repeated_name = |times| repeated(1 << 16, &tensor(1), times);
        assert!(check(&repeated_name(100)).is_ok());
        assert!(check(&repeated_name(1000)).is_err());
        for value in [
            text(1 << 16),
            class,
            key,
            pairs,
            storage(1 << 16),
            tensor(long),
        ] {
            assert!(check(&repeated(1, &value, 0)).is_ok());
            let error = check(&repeated(1, &value, 1100)).unwrap_err();
            assert!(error.contains("copies and names"), "{error}");
        }
    }

    #[test]
    fn tensor_has_a_name_for_every_way_to_it() {
        let tensor = Value {
            tensors: 1,
            ..Value::new(0)
        };
        let mut inner = Value::new(0);
        inner.add_pairs(&[Value::new(30), tensor]);
        let mut outer = Value::new(0);
        outer.add_pairs(&[Value::new(40), inner, Value::new(50), inner]);
        assert_eq!((outer.tensors, outer.names), (2, 31 + 41 + 31 + 51));
    }

    /// A module is filled after it has been taken for another place.
    #[test]
    fn what_is_set_on_an_object_is_in_the_memo_too() {
        let state = [b"}", &text(1 << 16)[..], &tensor(1), b"s"].concat();
        let head = [b"\x80\x02cm\nNet\n)\x81q\x00", &state[..], b"b("].concat();
        let modules = |times| [&head[..], &b"h\x00".repeat(times), b"t."].concat();
        assert!(check(&modules(10)).is_ok());
        assert!(check(&modules(1100)).is_err());
    }

    #[test]
    fn pickles_of_pytorch_are_walked_to_their_end() {
        let file = include_bytes!("../../fixtures/state_dict-legacy.pth");
        let mut rest = &file[..];
        for _ in 0..5 {
            let mut walk = Walk::new(rest);
            assert!(walk.run().is_ok());
            rest = walk.rest;
        }
        // The storages follow, each behind its number of elements.
        assert_eq!(rest.first_chunk(), Some(&2_u64.to_le_bytes()));
        assert_eq!(check_legacy(file, true), Ok(()));
    }

    #[test]
    fn pickle_that_goes_on_is_refused_where_there_is_more() {
        let cut = b"\x80\x02}X\xff\xff\x00\x00name";
        let error = check_legacy(cut, true).unwrap_err();
        assert_eq!(error, "its pickle has more than 12 bytes");
        for broken in [&b"\xff"[..], b"R", b"h\x07", b"(0t", b"P1\n", b"a"] {
            assert_eq!(check_legacy(broken, true), Ok(()));
        }
        assert_eq!(check_legacy(cut, false), Ok(()));
    }
}
