//! How the elements of a label map lie in space.

/// Size of a plane or a volume, and the distance between neighbors along each axis.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Grid {
    size: [usize; 3],
    spacing: [f64; 3],
}

impl Grid {
    /// An image; neighbors are 1 apart.
    pub fn plane(height: usize, width: usize) -> Self {
        Self::volume(1, height, width)
    }

    /// A stack of images; neighbors are 1 apart.
    pub fn volume(depth: usize, height: usize, width: usize) -> Self {
        Self { size: [depth, height, width], spacing: [1.0; 3] }
    }

    /// The same elements at other distances: `[depth, height, width]`, each above 0 and finite.
    pub fn with_spacing(self, spacing: [f64; 3]) -> Self {
        Self { spacing, ..self }
    }

    /// Depth, height and width in elements.
    pub fn size(&self) -> [usize; 3] {
        self.size
    }

    /// Distance between neighbors along depth, height and width.
    pub fn spacing(&self) -> [f64; 3] {
        self.spacing
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        self.size.iter().product()
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether every squared distance is an integer of 31 bits in a plane, which the fast transform needs.
    pub(super) fn is_pixels(&self) -> bool {
        /// Sums of squares of this length, and of what stands for "no such pixel", have 31 bits.
        const LONGEST: usize = 20_000;
        let [depth, height, width] = self.size;
        depth == 1 && height.max(width) <= LONGEST && self.spacing[1..] == [1.0; 2]
    }
}
