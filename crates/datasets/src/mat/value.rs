//! What a MATLAB file holds.

/// A named value.
#[derive(Debug, Clone, PartialEq)]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: Value,
}

/// A value of a class that data sets use.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A matrix of numbers or logicals.
    Numeric(Numeric),
    /// Text, a line per row.
    Text(Vec<String>),
    /// Values of any kind, column after column.
    Cell {
        /// Rows, columns and further sizes.
        dimensions: Vec<usize>,
        /// As many as the dimensions ask for.
        values: Vec<Value>,
    },
    /// Named values, once per element.
    Struct {
        /// Rows, columns and further sizes.
        dimensions: Vec<usize>,
        /// Per field: its name and a value for every element, column after column.
        fields: Vec<(String, Vec<Value>)>,
    },
    /// Something else, such as a sparse matrix or an object.
    Other {
        /// The number of its class.
        class: u8,
    },
}

/// A matrix of real numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct Numeric {
    /// Rows, columns and further sizes.
    pub dimensions: Vec<usize>,
    /// The numbers, column after column, as many as the dimensions ask for.
    pub data: Data,
    /// Whether they mean true and false.
    pub is_logical: bool,
}

impl Numeric {
    /// The first size.
    pub fn rows(&self) -> usize {
        self.dimensions.first().copied().unwrap_or_default()
    }

    /// The second size.
    pub fn columns(&self) -> usize {
        self.dimensions.get(1).copied().unwrap_or_default()
    }
}

/// Numbers as they are stored, which may be in a smaller type than the matrix has.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "the variants are the types in them")]
pub enum Data {
    U8(Vec<u8>),
    I8(Vec<i8>),
    U16(Vec<u16>),
    I16(Vec<i16>),
    U32(Vec<u32>),
    I32(Vec<i32>),
    U64(Vec<u64>),
    I64(Vec<i64>),
    F32(Vec<f32>),
    F64(Vec<f64>),
}

impl Data {
    /// How many numbers there are.
    pub fn len(&self) -> usize {
        match self {
            Self::U8(values) => values.len(),
            Self::I8(values) => values.len(),
            Self::U16(values) => values.len(),
            Self::I16(values) => values.len(),
            Self::U32(values) => values.len(),
            Self::I32(values) => values.len(),
            Self::U64(values) => values.len(),
            Self::I64(values) => values.len(),
            Self::F32(values) => values.len(),
            Self::F64(values) => values.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number at a position. 64-bit integers are rounded.
    pub fn get(&self, index: usize) -> Option<f64> {
        match self {
            Self::U8(values) => values.get(index).map(|value| f64::from(*value)),
            Self::I8(values) => values.get(index).map(|value| f64::from(*value)),
            Self::U16(values) => values.get(index).map(|value| f64::from(*value)),
            Self::I16(values) => values.get(index).map(|value| f64::from(*value)),
            Self::U32(values) => values.get(index).map(|value| f64::from(*value)),
            Self::I32(values) => values.get(index).map(|value| f64::from(*value)),
            Self::U64(values) => values.get(index).map(|value| *value as f64),
            Self::I64(values) => values.get(index).map(|value| *value as f64),
            Self::F32(values) => values.get(index).map(|value| f64::from(*value)),
            Self::F64(values) => values.get(index).copied(),
        }
    }

    /// All numbers.
    pub fn to_f64(&self) -> Vec<f64> {
        (0..self.len()).filter_map(|index| self.get(index)).collect()
    }
}
