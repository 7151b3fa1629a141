//! The labels that scenes use, as Cityscapes numbers and colors them.
//!
//! # Source
//! cityscapesScripts 2.3.0, `helpers/labels.py`.

macro_rules! labels {
    ($($variant:ident, $name:literal, $id:literal, $instances:literal, $color:literal;)*) => {
        /// What an outline shows.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(super) enum Label { $(#[doc = $name] $variant,)* }

        impl Label {
            /// Name in `polygons.json`.
            pub(super) fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// Id in `labelIds.png`; negative ids are never drawn.
            pub(super) fn id(self) -> i16 {
                match self { $(Self::$variant => $id,)* }
            }

            /// Whether single objects are numbered in `instanceIds.png`.
            pub(super) fn has_instances(self) -> bool {
                match self { $(Self::$variant => $instances,)* }
            }

            /// Color in `color.png`, as `0xRRGGBB`.
            pub(super) fn color(self) -> u32 {
                match self { $(Self::$variant => $color,)* }
            }
        }
    };
}

labels! {
    EgoVehicle, "ego vehicle", 1, false, 0x000000;
    RectificationBorder, "rectification border", 2, false, 0x000000;
    OutOfRoi, "out of roi", 3, false, 0x000000;
    Static, "static", 4, false, 0x000000;
    Dynamic, "dynamic", 5, false, 0x6F4A00;
    Ground, "ground", 6, false, 0x510051;
    Road, "road", 7, false, 0x804080;
    Sidewalk, "sidewalk", 8, false, 0xF423E8;
    Building, "building", 11, false, 0x464646;
    Wall, "wall", 12, false, 0x66669C;
    Fence, "fence", 13, false, 0xBE9999;
    Pole, "pole", 17, false, 0x999999;
    TrafficLight, "traffic light", 19, false, 0xFAAA1E;
    TrafficSign, "traffic sign", 20, false, 0xDCDC00;
    Vegetation, "vegetation", 21, false, 0x6B8E23;
    Terrain, "terrain", 22, false, 0x98FB98;
    Sky, "sky", 23, false, 0x4682B4;
    Person, "person", 24, true, 0xDC143C;
    Rider, "rider", 25, true, 0xFF0000;
    Car, "car", 26, true, 0x00008E;
    Truck, "truck", 27, true, 0x000046;
    Bus, "bus", 28, true, 0x003C64;
    Train, "train", 31, true, 0x005064;
    Motorcycle, "motorcycle", 32, true, 0x0000E6;
    Bicycle, "bicycle", 33, true, 0x770B20;
    LicensePlate, "license plate", -1, false, 0x00008E;
}
