//! Rows of logits, laid out so that all classes of a position stand together, and what is known of each position.

/// By how much, relative to the greatest magnitude at a position, a class has to be ahead of another to stay ahead after
/// interpolation: two resizes are at most 12 roundings of 2^-24 each, below 1e-6.
const ROUNDING: f32 = 1e-5;
/// No class is clearly ahead.
const NONE: u16 = u16::MAX;
/// Values per position are padded to a multiple of this.
const LANES: usize = 16;

/// Some rows of logits.
#[derive(Default)]
pub(crate) struct LogitRows {
    classes: usize,
    width: usize,
    first_row: usize,
    /// Values per position: the classes, then negative infinity.
    pitch: usize,
    values: Vec<f32>,
    /// The class with the greatest logit.
    greatest: Vec<u8>,
    /// The same if it is clearly ahead of all others, [`NONE`] if not.
    clear: Vec<u16>,
    /// By how much a class has to be ahead.
    slack: Vec<f32>,
    /// Whether classes may be left out.
    prune: bool,
    /// Per class, whether it can win.
    is_able: Vec<u8>,
    /// Greatest and second greatest logit and greatest magnitude of the positions of a row.
    heights: [Vec<f32>; 3],
}

impl LogitRows {
    /// Takes the rows `rows.0..=rows.1` of logits of (classes, size.0, size.1).
    #[inline(always)]
    pub(crate) fn load(
        &mut self,
        logits: &[f32],
        classes: usize,
        size: (usize, usize),
        rows: (usize, usize),
        prune: bool,
    ) {
        let (height, width) = size;
        let positions = (rows.1 + 1 - rows.0) * width;
        (self.classes, self.width, self.first_row, self.prune) = (classes, width, rows.0, prune);
        self.pitch = classes.next_multiple_of(LANES);
        self.values.clear();
        self.values.resize(positions * self.pitch, f32::NEG_INFINITY);
        self.greatest.resize(positions, 0);
        self.clear.resize(positions, NONE);
        self.slack.resize(positions, 0.0);
        for row in rows.0..=rows.1 {
            let plane = |class: usize| &logits[(class * height + row) * width..][..width];
            let start = (row - rows.0) * width;
            self.transpose(start, plane);
            self.judge(start, plane);
        }
    }

    /// Lays one row out by position, a few positions at a time, so that what is written stays in the innermost cache.
    #[inline(always)]
    fn transpose<'a>(&mut self, start: usize, plane: impl Fn(usize) -> &'a [f32]) {
        let row = &mut self.values[start * self.pitch..(start + self.width) * self.pitch];
        for (part, positions) in row.chunks_mut(LANES * self.pitch).enumerate() {
            for class in 0..self.classes {
                let source = &plane(class)[part * LANES..];
                for (position, &logit) in positions.chunks_exact_mut(self.pitch).zip(source) {
                    position[class] = logit;
                }
            }
        }
    }

    /// Finds the winner of every position of one row, and whether it is clearly ahead.
    #[inline(always)]
    fn judge<'a>(&mut self, start: usize, plane: impl Fn(usize) -> &'a [f32]) {
        let [best, second, magnitude] = &mut self.heights;
        for (heights, value) in
            [(&mut *best, f32::NEG_INFINITY), (&mut *second, f32::NEG_INFINITY), (&mut *magnitude, 0.0)]
        {
            heights.clear();
            heights.resize(self.width, value);
        }
        let greatest = &mut self.greatest[start..start + self.width];
        greatest.fill(0);
        for class in 0..self.classes {
            let places =
                best.iter_mut().zip(second.iter_mut()).zip(magnitude.iter_mut()).zip(greatest.iter_mut());
            for (&logit, (((best, second), magnitude), greatest)) in plane(class).iter().zip(places) {
                let is_greater = logit > *best;
                let lesser = if is_greater { *best } else { logit };
                *second = if lesser > *second { lesser } else { *second };
                *best = if is_greater { logit } else { *best };
                *greatest = if is_greater { class as u8 } else { *greatest };
                *magnitude = if logit.abs() > *magnitude { logit.abs() } else { *magnitude };
            }
        }
        for x in 0..self.width {
            let slack = ROUNDING * magnitude[x];
            self.slack[start + x] = slack;
            let is_clear = self.prune && best[x] - second[x] > slack;
            self.clear[start + x] = if is_clear { u16::from(greatest[x]) } else { NONE };
        }
    }

    /// The logit of a class.
    #[inline(always)]
    pub(crate) fn get(&self, row: usize, column: usize, class: u8) -> f32 {
        self.values[self.position(row, column) * self.pitch + usize::from(class)]
    }

    /// The class that is clearly ahead at all positions of a rectangle (all ends included).
    #[inline(always)]
    pub(crate) fn winner(&self, rows: (usize, usize), columns: (usize, usize)) -> Option<u8> {
        let first = self.clear[self.position(rows.0, columns.0)];
        for row in rows.0..=rows.1 {
            let start = self.position(row, columns.0);
            if self.clear[start..=start + columns.1 - columns.0].iter().any(|&class| class != first) {
                return None;
            }
        }
        (first != NONE).then_some(first as u8)
    }

    /// The classes that can win between the positions of a rectangle, in ascending order: those that none of the positions' winners
    /// beats clearly at every position.
    #[inline(always)]
    pub(crate) fn candidates(&mut self, rows: (usize, usize), columns: (usize, usize), out: &mut Vec<u8>) {
        out.clear();
        if !self.prune {
            out.extend((0..self.classes).map(|class| class as u8));
            return;
        }
        let mut is_able = std::mem::take(&mut self.is_able);
        is_able.clear();
        is_able.resize(self.pitch, 1);
        let mut beaten = [0_u8; 256];
        let places =
            || (rows.0..=rows.1).flat_map(|row| (columns.0..=columns.1).map(move |column| (row, column)));
        let mut seen = [0_u64; 4];
        for (row, column) in places() {
            let winner = self.greatest[self.position(row, column)];
            let (word, bit) = (usize::from(winner / 64), 1 << (winner % 64));
            if seen[word] & bit != 0 {
                continue;
            }
            seen[word] |= bit;
            let beaten = &mut beaten[..self.pitch];
            beaten.fill(1);
            for (row, column) in places() {
                let position = self.position(row, column);
                let values = &self.values[position * self.pitch..][..self.pitch];
                let threshold = values[usize::from(winner)] - self.slack[position];
                for (beaten, &value) in beaten.iter_mut().zip(values) {
                    *beaten &= u8::from(value < threshold);
                }
            }
            for (is_able, &beaten) in is_able.iter_mut().zip(beaten.iter()) {
                *is_able &= 1 - beaten;
            }
        }
        let able = is_able[..self.classes].iter().enumerate().filter(|(_, is_able)| **is_able != 0);
        out.extend(able.map(|(class, _)| class as u8));
        self.is_able = is_able;
    }

    #[inline(always)]
    fn position(&self, row: usize, column: usize) -> usize {
        (row - self.first_row) * self.width + column
    }
}
