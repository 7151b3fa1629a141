//! Image sizes as people write them: `512x1024`, height first as in the field's configuration files.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Height and width in pixels, written `HxW`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Size {
    /// Rows.
    pub height: u32,
    /// Columns.
    pub width: u32,
}

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not a size: expected HEIGHTxWIDTH, such as `512x1024`");
        let (height, width) = text.split_once('x').ok_or_else(wrong)?;
        let size = Self {
            height: height.trim().parse().map_err(|_| wrong())?,
            width: width.trim().parse().map_err(|_| wrong())?,
        };
        if size.height == 0 || size.width == 0 || size.height > 1 << 15 || size.width > 1 << 15 {
            return Err(format!("`{text}` is out of range: height and width must be 1 to 32768"));
        }
        Ok(size)
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.height, self.width)
    }
}

impl Serialize for Size {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for Size {
    fn schema_name() -> Cow<'static, str> {
        "Size".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^[0-9]+x[0-9]+$", "description": "Height and width in pixels, as `512x1024`." })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn height_comes_first() {
        assert_eq!("512x1024".parse(), Ok(Size { height: 512, width: 1024 }));
    }

    #[test]
    fn nonsense_is_refused_with_an_example() {
        for text in ["", "512", "x", "axb", "0x4", "512x99999", "-1x4"] {
            assert!(text.parse::<Size>().is_err(), "{text}");
        }
    }
}
