//! A bounds-checked walk over the elements of any Matroska file.
//!
//! Owns what the demuxer crate does not tell (which blocks are keyframes inside groups, discard padding,
//! attachments, a few header fields) and what must be asked of files that may be hostile. Reads headers and
//! small values only, allocates no more than the file holds, never panics.
#![deny(unsafe_code)]

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::{self, Read, Seek, SeekFrom};

use super::ebml::id;

/// Bytes read at once.
const WINDOW: usize = 64 << 10;
/// Bytes read at once by who looks at few places.
const SPARSE_WINDOW: usize = 4 << 10;
/// The most places a SeekHead leads to.
const MAX_PLACES: usize = 4096;
/// The most children listed of one master: no real header has as many.
const MAX_CHILDREN: usize = 1 << 20;

/// A buffered reader that keeps its buffer over seeks inside it (std's `BufReader` drops it at each).
#[derive(Debug)]
pub(super) struct SeekBuffer<R> {
    inner: R,
    length: u64,
    position: u64,
    /// The bytes from `start` on.
    buffer: Vec<u8>,
    start: u64,
    /// Bytes read at once.
    window: usize,
}

impl<R: Read + Seek> SeekBuffer<R> {
    pub(super) fn new(mut inner: R) -> io::Result<Self> {
        let length = inner.seek(SeekFrom::End(0))?;
        Ok(SeekBuffer { inner, length, position: 0, buffer: Vec::new(), start: 0, window: WINDOW })
    }

    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// The buffered bytes at the current position.
    fn buffered(&self) -> &[u8] {
        let offset = self.position.checked_sub(self.start).and_then(|o| usize::try_from(o).ok());
        offset.and_then(|o| self.buffer.get(o..)).unwrap_or_default()
    }
}

impl<R: Read + Seek> Read for SeekBuffer<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.position >= self.length || out.is_empty() {
            return Ok(0);
        }
        if self.buffered().is_empty() {
            self.inner.seek(SeekFrom::Start(self.position))?;
            if out.len() >= self.window {
                let n = self.inner.read(out)?;
                self.position += n as u64;
                return Ok(n);
            }
            self.buffer.clear();
            self.start = self.position;
            (&mut self.inner).take(self.window as u64).read_to_end(&mut self.buffer)?;
        }
        let bytes = self.buffered();
        let n = bytes.len().min(out.len());
        out[..n].copy_from_slice(&bytes[..n]);
        self.position += n as u64;
        Ok(n)
    }
}

impl<R: Read + Seek> Seek for SeekBuffer<R> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let target = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.length.checked_add_signed(by),
            SeekFrom::Current(by) => self.position.checked_add_signed(by),
        };
        self.position = target.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        Ok(self.position)
    }
}

/// Where an element lies. `end` is its parent's end where its size is unknown, or reaches past it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Element {
    pub(super) id: u32,
    start: u64,
    pub(super) data: u64,
    pub(super) end: u64,
    unknown_size: bool,
    /// Its size reaches past its parent: the file was cut short, or lies.
    cut: bool,
}

impl Element {
    fn size(&self) -> u64 {
        self.end - self.data
    }
}

/// What a block's own headers say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct BlockFacts {
    pub(super) track: u64,
    /// Ticks of the timestamp scale.
    pub(super) time: i64,
    pub(super) keyframe: bool,
    pub(super) discard_padding_ns: i64,
    /// Where BlockAdditional with id 1 lies.
    pub(super) additional: Option<(u64, u64)>,
    /// Frames laced into the block.
    pub(super) frames: u64,
}

/// The walker, and its place among the blocks.
#[derive(Debug)]
pub(super) struct Walk<R> {
    input: SeekBuffer<R>,
    segment: Element,
    at: u64,
    cluster_time: u64,
}

/// Where to go on after an element of the Segment. A cluster of unknown size ends where the next top-level
/// element begins: the way leads through it.
fn after(element: &Element) -> u64 {
    if element.unknown_size { element.data } else { element.end }
}

pub(super) fn broken(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}

impl<R: Read + Seek> Walk<R> {
    /// Finds the Segment.
    pub(super) fn open(inner: R) -> io::Result<Self> {
        let input = SeekBuffer::new(inner)?;
        let mut walk = Walk { input, segment: Element::default(), at: 0, cluster_time: 0 };
        let end = walk.input.length();
        let head = walk.element(0, end)?.filter(|e| e.id == id::EBML).ok_or_else(|| broken("no EBML header"))?;
        let mut at = head.end;
        walk.segment = loop {
            let element = walk.element(at, end)?.ok_or_else(|| broken("no Segment"))?;
            if element.id == id::SEGMENT {
                break element;
            }
            at = element.end;
        };
        walk.at = walk.segment.data;
        Ok(walk)
    }

    /// As [`open`](Self::open), for who looks at few places: little is read at each.
    pub(super) fn open_sparse(inner: R) -> io::Result<Self> {
        let mut walk = Self::open(inner)?;
        walk.input.window = SPARSE_WINDOW;
        Ok(walk)
    }

    /// Top-level elements of the kinds `wanted`, in the order of the file: those before the first cluster and those that
    /// SeekHeads point at. Where no SeekHead leads anywhere, clusters are stepped over by their size as well.
    pub(super) fn described(&mut self, wanted: &[u32]) -> io::Result<Vec<Element>> {
        let segment = self.segment;
        let (mut found, mut heads, mut at) = (BTreeMap::new(), Vec::new(), segment.data);
        let mut seen = HashSet::new();
        while let Some(element) = self.element(at, segment.end)?.filter(|e| e.id != id::CLUSTER) {
            if wanted.contains(&element.id) {
                found.insert(element.start, element);
            }
            if element.id == id::SEEK_HEAD && seen.insert(element.start) {
                heads.push(element);
            }
            at = element.end;
        }
        let mut led = false;
        while let Some(head) = heads.pop().filter(|_| seen.len() < MAX_PLACES) {
            for (kind, target) in self.seek_entries(&head)? {
                if (kind != id::SEEK_HEAD && !wanted.contains(&kind)) || !seen.insert(target) {
                    continue;
                }
                let Some(element) = self.element(target, segment.end)?.filter(|e| e.id == kind) else { continue };
                led = true;
                match kind {
                    id::SEEK_HEAD => heads.push(element),
                    _ => drop(found.insert(element.start, element)),
                }
            }
        }
        while !led && let Some(element) = self.element(at, segment.end)?.filter(|e| !e.unknown_size) {
            if wanted.contains(&element.id) {
                found.insert(element.start, element);
            }
            at = element.end;
        }
        Ok(found.into_values().collect())
    }

    /// What a SeekHead lists: ids and places in the file.
    fn seek_entries(&mut self, head: &Element) -> io::Result<Vec<(u32, u64)>> {
        let mut out = Vec::new();
        for entry in self.children(head)?.into_iter().filter(|e| e.id == id::SEEK) {
            let (mut wanted, mut position) = (0, None);
            for field in self.children(&entry)? {
                match field.id {
                    id::SEEK_ID => wanted = u32::try_from(self.uint(&field)?).unwrap_or(0),
                    id::SEEK_POSITION => position = Some(self.uint(&field)?),
                    _ => {}
                }
            }
            out.extend(position.map(|p| (wanted, self.segment.data.saturating_add(p))));
        }
        Ok(out)
    }

    /// The element at `at`; `None` at `limit`, or where nothing that can be an element begins.
    ///
    /// An element that claims to reach past `limit` is cut there; its content then ends early.
    fn element(&mut self, at: u64, limit: u64) -> io::Result<Option<Element>> {
        if at >= limit {
            return Ok(None);
        }
        self.input.seek(SeekFrom::Start(at))?;
        let Some((element, id_length)) = self.vint(4, false)? else { return Ok(None) };
        let Some((size, size_length)) = self.vint(8, true)? else { return Ok(None) };
        let data = at + (id_length + size_length) as u64;
        let id = u32::try_from(element).unwrap_or(0);
        let unknown_size = size == (1u64 << (7 * size_length)) - 1;
        // RFC 9559 allows an unknown size for these two only.
        if data > limit || (unknown_size && !matches!(id, id::SEGMENT | id::CLUSTER)) {
            return Ok(None);
        }
        let end = if unknown_size { limit } else { data.saturating_add(size) };
        Ok(Some(Element { id, start: at, data, end: end.min(limit), unknown_size, cut: end > limit }))
    }

    /// A variable-size integer of at most `longest` bytes and its length; ids keep their marker.
    fn vint(&mut self, longest: usize, without_marker: bool) -> io::Result<Option<(u64, usize)>> {
        let mut bytes = [0; 8];
        if self.input.read(&mut bytes[..1])? == 0 {
            return Ok(None);
        }
        let length = bytes[0].leading_zeros() as usize + 1;
        if length > longest || self.input.read_exact(&mut bytes[1..length]).is_err() {
            return Ok(None);
        }
        let value = bytes[..length].iter().fold(0u64, |v, b| v << 8 | u64::from(*b));
        let mask = if without_marker { (1u64 << (7 * length)) - 1 } else { u64::MAX };
        Ok(Some((value & mask, length)))
    }

    /// The children of a master, as far as they can be read.
    pub(super) fn children(&mut self, parent: &Element) -> io::Result<Vec<Element>> {
        let mut out = Vec::new();
        let mut at = parent.data;
        while out.len() < MAX_CHILDREN
            && let Some(child) = self.element(at, parent.end)?
        {
            at = child.end;
            out.push(child);
        }
        Ok(out)
    }

    /// The first top-level element `wanted`; stops at nothing but the end, skipping clusters by their size.
    pub(super) fn top_level(&mut self, wanted: u32) -> io::Result<Option<Element>> {
        let segment = self.segment;
        let mut at = segment.data;
        while let Some(element) = self.element(at, segment.end)? {
            if element.id == wanted {
                return Ok(Some(element));
            }
            at = after(&element);
        }
        Ok(None)
    }

    /// The content of an element of at most `longest` bytes; empty where it is longer.
    pub(super) fn bytes(&mut self, element: &Element, longest: u64) -> io::Result<Vec<u8>> {
        let size = element.size();
        if size > longest {
            return Ok(Vec::new());
        }
        self.input.seek(SeekFrom::Start(element.data))?;
        let mut out = Vec::new();
        (&mut self.input).take(size).read_to_end(&mut out)?;
        Ok(out)
    }

    pub(super) fn uint(&mut self, element: &Element) -> io::Result<u64> {
        Ok(self.bytes(element, 8)?.iter().fold(0, |v, b| v << 8 | u64::from(*b)))
    }

    pub(super) fn int(&mut self, element: &Element) -> io::Result<i64> {
        let bytes = self.bytes(element, 8)?;
        let start = if bytes.first().is_some_and(|b| b & 0x80 != 0) { -1i64 } else { 0 };
        Ok(bytes.iter().fold(start, |v, b| v << 8 | i64::from(*b)))
    }

    pub(super) fn float(&mut self, element: &Element) -> io::Result<f64> {
        let bytes = self.bytes(element, 8)?;
        Ok(match *bytes.as_slice() {
            [a, b, c, d] => f64::from(f32::from_be_bytes([a, b, c, d])),
            [a, b, c, d, e, f, g, h] => f64::from_be_bytes([a, b, c, d, e, f, g, h]),
            _ => 0.0,
        })
    }

    /// A string, up to its first zero byte, with what is not UTF-8 replaced.
    pub(super) fn text(&mut self, element: &Element) -> io::Result<String> {
        let bytes = self.bytes(element, 1 << 16)?;
        let end = bytes.iter().position(|b| *b == 0).unwrap_or(bytes.len());
        Ok(String::from_utf8_lossy(&bytes[..end]).into_owned())
    }

    /// Whether the file's indices are safe to follow for a parser that trusts them: every element they are
    /// made of is whole, every SeekHead entry points at a top-level element of the kind it names, SeekHeads
    /// point only onwards and at no more than one other, and no cue points outside the file.
    ///
    /// `matroska-demuxer` 0.8.1 loops on SeekHeads in a ring and on a Segment that begins with a CRC-32, and
    /// adds positions unchecked.
    pub(super) fn indices_are_sound(&mut self) -> io::Result<bool> {
        let segment = self.segment;
        let (mut places, mut indices) = (HashMap::new(), Vec::new());
        let mut at = segment.data;
        while let Some(element) = self.element(at, segment.end)? {
            if at == segment.data && element.id == id::CRC_32 {
                return Ok(false);
            }
            if element.id > 0x00FF_FFFF && element.id != id::CLUSTER {
                places.insert(element.start, element.id);
            }
            if matches!(element.id, id::SEEK_HEAD | id::CUES) {
                indices.push(element);
            }
            at = after(&element);
        }
        for index in indices {
            let sound = match index.id {
                id::CUES => self.cues_are_sound(&index)?,
                _ => self.seek_head_is_sound(&index, &places)?,
            };
            if !sound {
                return Ok(false);
            }
        }
        Ok(at > segment.data)
    }

    fn seek_head_is_sound(&mut self, seek_head: &Element, places: &HashMap<u64, u32>) -> io::Result<bool> {
        let base = self.segment.data;
        let Some(entries) = self.whole_children(seek_head)? else { return Ok(false) };
        let mut onwards = 0;
        for entry in entries.iter().filter(|e| e.id == id::SEEK) {
            let Some(fields) = self.whole_children(entry)? else { return Ok(false) };
            let (mut wanted, mut position) = (0, 0);
            for field in fields {
                match field.id {
                    id::SEEK_ID => wanted = self.uint(&field)?,
                    id::SEEK_POSITION => position = self.uint(&field)?,
                    _ => {}
                }
            }
            let target = base.saturating_add(position);
            // Clusters are not listed here; one that is pointed at is looked for anyway.
            let found = places.get(&target).copied();
            if wanted != u64::from(id::CLUSTER) && found.map(u64::from) != Some(wanted) {
                return Ok(false);
            }
            if wanted == u64::from(id::CLUSTER) && target >= self.segment.end {
                return Ok(false);
            }
            if wanted == u64::from(id::SEEK_HEAD) {
                onwards += 1;
                if target <= seek_head.start || onwards > 1 {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    fn cues_are_sound(&mut self, cues: &Element) -> io::Result<bool> {
        let length = self.input.length();
        let Some(mut open) = self.whole_children(cues)? else { return Ok(false) };
        while let Some(element) = open.pop() {
            match element.id {
                id::CUE_POINT | id::CUE_TRACK_POSITIONS => match self.whole_children(&element)? {
                    Some(children) => open.extend(children),
                    None => return Ok(false),
                },
                id::CUE_CLUSTER_POSITION if self.uint(&element)? > length => return Ok(false),
                _ => {}
            }
        }
        Ok(true)
    }

    /// The children of a master, unless they do not fill it exactly.
    fn whole_children(&mut self, parent: &Element) -> io::Result<Option<Vec<Element>>> {
        let children = self.children(parent)?;
        let end = children.last().map_or(parent.data, |c| c.end);
        let whole = end == parent.end && !parent.cut && !children.iter().any(|c| c.cut);
        Ok(whole.then_some(children))
    }

    /// The next block of the file; `None` at its end.
    ///
    /// # Errors
    /// `InvalidData` where the file ends early, where something that is no element stands between the
    /// blocks, and where times leave the range of a film.
    pub(super) fn next_block(&mut self) -> io::Result<Option<BlockFacts>> {
        let end = self.segment.end;
        if self.segment.cut {
            return Err(broken("the file is shorter than its Segment"));
        }
        while self.at < end {
            let element = self.element(self.at, end)?.filter(|e| !e.cut);
            let element = element.ok_or_else(|| broken("something between the blocks is no element"))?;
            self.at = element.end;
            match element.id {
                // Clusters are walked flat, so that one of unknown size needs no special care.
                id::CLUSTER => self.at = element.data,
                id::TIMESTAMP => self.cluster_time = self.uint(&element)?,
                id::SIMPLE_BLOCK => {
                    let (mut facts, flags) = self.block(&element)?;
                    facts.keyframe = flags & 0x80 != 0;
                    return Ok(Some(facts));
                }
                id::BLOCK_GROUP => {
                    if let Some(facts) = self.block_group(&element)? {
                        return Ok(Some(facts));
                    }
                }
                _ => {}
            }
        }
        Ok(None)
    }

    fn block_group(&mut self, group: &Element) -> io::Result<Option<BlockFacts>> {
        let mut facts = None;
        let (mut keyframe, mut discard, mut additional) = (true, 0, None);
        let children = self.whole_children(group)?.ok_or_else(|| broken("a block group is not whole"))?;
        for child in children {
            match child.id {
                id::BLOCK => facts = Some(self.block(&child)?.0),
                id::REFERENCE_BLOCK => keyframe = false,
                id::DISCARD_PADDING => discard = self.int(&child)?,
                id::BLOCK_ADDITIONS => additional = self.first_additional(&child)?,
                _ => {}
            }
        }
        Ok(facts.map(|f| BlockFacts { keyframe, discard_padding_ns: discard, additional, ..f }))
    }

    fn first_additional(&mut self, additions: &Element) -> io::Result<Option<(u64, u64)>> {
        for more in self.children(additions)? {
            let (mut add_id, mut place) = (1, None);
            for child in self.children(&more)? {
                match child.id {
                    id::BLOCK_ADD_ID => add_id = self.uint(&child)?,
                    id::BLOCK_ADDITIONAL => place = Some((child.data, child.end)),
                    _ => {}
                }
            }
            if add_id == 1 && place.is_some() {
                return Ok(place);
            }
        }
        Ok(None)
    }

    /// Whether the file ends with its Segment.
    pub(super) fn ends_with_segment(&self) -> bool {
        self.segment.end == self.input.length()
    }

    /// The bytes of a place a block named.
    pub(super) fn place(&mut self, (data, end): (u64, u64)) -> io::Result<Vec<u8>> {
        self.bytes(&Element { data, end, ..Element::default() }, u64::MAX)
    }

    /// Track, time, flags and lacing (RFC 9559 §10.1).
    fn block(&mut self, element: &Element) -> io::Result<(BlockFacts, u8)> {
        let short = || broken("the file ends inside a block");
        self.input.seek(SeekFrom::Start(element.data))?;
        let (track, length) = self.vint(8, true)?.ok_or_else(short)?;
        let mut rest = [0; 3];
        self.input.read_exact(&mut rest).map_err(|_| short())?;
        if element.size() < length as u64 + 3 {
            return Err(short());
        }
        let distance = i16::from_be_bytes([rest[0], rest[1]]);
        let cluster = i64::try_from(self.cluster_time).ok().filter(|t| *t < 1 << 52);
        let time = cluster.filter(|_| distance != i16::MIN).ok_or_else(|| broken("a block's time is out of range"))?;
        let mut frames = 1;
        if rest[2] & 0x06 != 0 {
            let mut count = [0];
            self.input.read_exact(&mut count).map_err(|_| short())?;
            frames += u64::from(count[0]);
        }
        let facts = BlockFacts { track, time: time + i64::from(distance), frames, ..BlockFacts::default() };
        Ok((facts, rest[2]))
    }
}
