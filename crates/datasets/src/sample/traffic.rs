//! Who and what is on the street, in the order in which one hides the other.

use segbench_types::Rng;

use super::car::Car;
use super::heavy::{Heavy, Kind};
use super::label::Label;
use super::painter::Painter;
use super::solid::Frame;
use super::street::{CURB, Feature, LANE, PARKING, Roadside, Street};
use super::two_wheelers::{self, TwoWheeler, View};

/// A thing on the street, ready to be drawn.
pub(super) struct Prop {
    /// What it covers of the ground: x and z.
    pub(super) footprint: Vec<[f32; 2]>,
    /// In meters.
    pub(super) height: f32,
    /// Draws it.
    pub(super) draw: Box<dyn FnOnce(&mut Painter)>,
    /// Things farther from the camera's lane are hidden by nearer ones, whatever their distance.
    rank: u8,
    z: f32,
}

/// Rank of what stands on a sidewalk.
pub(super) const WALK: u8 = 9;
/// Rank of parked cars.
pub(super) const PARKED: u8 = 8;

/// Collects props and hands each its own random stream.
pub(super) struct Crowd<'a> {
    /// Decides everything.
    pub(super) rng: &'a mut Rng,
    /// The street they are on.
    pub(super) street: &'a Street,
    props: Vec<Prop>,
    /// Stretches of lanes that are taken: x, from, to.
    taken: Vec<[f32; 3]>,
}

/// Puts people, vehicles and street furniture on a street, sorted from back to front.
pub(super) fn populate(rng: &mut Rng, street: &Street) -> Vec<Prop> {
    let mut crowd = Crowd { rng, street, props: Vec::new(), taken: Vec::new() };
    let crosser = crowd.feature();
    crowd.traffic();
    for side in &street.sides {
        crowd.parked(side);
        crowd.furniture(side);
        crowd.walkers(side);
    }
    crowd.lights();
    crowd.crossing_people();
    crowd.cyclists();
    crowd.far_groups();
    let zone = |z: f32| crosser.is_some_and(|at| z <= at);
    crowd.props.sort_by(|a, b| zone(a.z).cmp(&zone(b.z)).then(b.rank.cmp(&a.rank)).then(b.z.total_cmp(&a.z)));
    crowd.props
}

impl Crowd<'_> {
    /// Adds a thing; a higher rank is drawn earlier.
    pub(super) fn add(
        &mut self,
        rank: u8,
        z: f32,
        footprint: Vec<[f32; 2]>,
        height: f32,
        draw: impl FnOnce(&mut Painter) + 'static,
    ) {
        self.props.push(Prop { footprint, height, draw: Box::new(draw), rank, z });
    }

    /// Reserves a stretch of a lane; false if somebody is there.
    pub(super) fn take(&mut self, x: f32, from: f32, to: f32) -> bool {
        let free = self
            .taken
            .iter()
            .all(|[other, a, b]| (other - x).abs() > 1.9 || to + 1.5 < *a || from - 1.5 > *b);
        if free {
            self.taken.push([x, from, to]);
        }
        free
    }

    /// The rank of a lane.
    pub(super) fn rank(x: f32) -> u8 {
        (x.abs() / LANE + 0.5) as u8
    }

    /// A bus, truck or tram whose near end is at a distance.
    fn heavy(&mut self, heavy: Heavy, x: f32, near: f32, heading: f32) {
        let middle = near + heavy.length() * 0.5;
        if !self.take(x, near, near + heavy.length()) {
            return;
        }
        let frame = Frame::new(x, middle, heading, heavy.length());
        let (footprint, height) = (heavy.footprint(&frame), heavy.height());
        self.add(Self::rank(x), near, footprint, height, move |painter| heavy.draw(painter, &frame, near));
    }

    /// A car whose middle is at a distance.
    fn car(&mut self, rank: u8, x: f32, z: f32, heading: f32) {
        let car = Car::new(self.rng);
        let half = car.length() * 0.5;
        if !self.take(x, z - half, z + half) {
            return;
        }
        let frame = Frame::new(x, z, heading, car.length());
        let footprint = car.footprint(&frame);
        let plate = self.rng.chance(0.3);
        self.add(rank, z - half, footprint, car.height(), move |painter| {
            car.draw(painter, &frame, z - half);
            if let Some(outline) = car.plate_outline(&painter.camera, &frame).filter(|_| plate && z < 25.0) {
                painter.record(Label::LicensePlate, false, false, &outline);
            }
        });
    }

    /// The rare thing this picture is sure to show. If it crosses the street, its distance is told.
    fn feature(&mut self) -> Option<f32> {
        let street = self.street;
        let along = std::f32::consts::PI;
        match street.feature {
            Feature::Heavy(kind) => {
                let heavy = Heavy::new(self.rng, kind);
                if kind != Kind::Train
                    && let Some([from, to]) = street.surface.crossing
                    && self.rng.chance(0.6)
                {
                    let z = 0.5 * (from + to) + 1.2;
                    let turn = if self.rng.chance(0.5) { 0.5 } else { -0.5 };
                    let x = self.rng.range(-0.2, 0.2) * z;
                    let frame = Frame::new(x, z, along * turn, heavy.length());
                    let (footprint, height) = (heavy.footprint(&frame), heavy.height());
                    self.taken.push([0.0, from - 1.0, to + 1.0]);
                    self.taken.extend(
                        street.oncoming.iter().chain(&street.forward).map(|x| [*x, from - 1.0, to + 1.0]),
                    );
                    self.add(u8::MAX, z, footprint, height, move |painter| heavy.draw(painter, &frame, z));
                    return Some(z);
                }
                let near = self.rng.range(9.0, 17.0);
                if kind == Kind::Train {
                    let x = street.surface.rails.unwrap_or(-2.0 * LANE);
                    let heading = if self.rng.chance(0.5) { along } else { 0.0 };
                    self.heavy(heavy, x, near, heading);
                } else if let Some(x) = street.oncoming.first().filter(|_| self.rng.chance(0.5)) {
                    self.heavy(heavy, *x, near + 2.0, along);
                } else {
                    let x = street.forward.last().copied().unwrap_or_default();
                    self.heavy(heavy, x, near, 0.0);
                }
            }
            Feature::Motorcycle => {
                for _ in 0..1 + self.rng.below(2) {
                    let view = if self.rng.chance(0.5) { View::Along } else { View::Side };
                    let ridden = view == View::Along || self.rng.chance(0.4);
                    let near = if ridden { self.rng.range(6.5, 13.0) } else { self.rng.range(7.0, 12.0) };
                    let x = match (view, ridden) {
                        (View::Along, _) => {
                            *street.forward.first().unwrap_or(&0.0) + self.rng.range(-1.0, 1.0)
                        }
                        (View::Side, true) => self.rng.range(-0.25, 0.25) * near,
                        (View::Side, false) => {
                            let side = &street.sides[self.rng.below(2)];
                            side.out(side.verge + 0.6).clamp(-0.4 * near, 0.4 * near)
                        }
                    };
                    self.two_wheeler(two_wheelers::Kind::Motorcycle, view, ridden, x, near);
                }
            }
        }
        None
    }

    /// A bicycle or motorcycle, on the road or on the sidewalk.
    pub(super) fn two_wheeler(&mut self, kind: two_wheelers::Kind, view: View, ridden: bool, x: f32, z: f32) {
        let half = if view == View::Side { 0.95 } else { 0.35 };
        let on_road = x > self.street.surface.edges[0] && x < self.street.surface.edges[1];
        if on_road && !self.take(x, z - 1.0, z + 1.0) {
            return;
        }
        let machine = TwoWheeler::new(self.rng, kind, view, ridden);
        let footprint =
            vec![[x - half, z - 0.3], [x + half, z - 0.3], [x + half, z + 0.3], [x - half, z + 0.3]];
        let (rank, floor) = if on_road { (Self::rank(x), 0.0) } else { (WALK, CURB) };
        self.add(rank, z, footprint, if ridden { 1.7 } else { 1.0 }, move |painter| {
            machine.draw(painter, x, z, floor)
        });
    }

    /// Moving traffic in all lanes.
    fn traffic(&mut self) {
        let density = self.rng.unit();
        let lanes: Vec<(f32, f32)> = self
            .street
            .oncoming
            .iter()
            .map(|x| (*x, std::f32::consts::PI))
            .chain(self.street.forward.iter().map(|x| (*x, 0.0)))
            .collect();
        for (x, heading) in lanes {
            if self.street.surface.rails == Some(x) && self.rng.chance(0.8) {
                continue;
            }
            let mut z = self.rng.range(if x.abs() < 1.5 { 10.0 } else { 7.5 }, 32.0);
            while z < 120.0 {
                let lateral = x + self.rng.range(-0.25, 0.25);
                match self.rng.below(20) {
                    0 => {
                        let heavy = Heavy::new(self.rng, Kind::Bus);
                        self.heavy(heavy, lateral, z, heading);
                        z += 12.0;
                    }
                    1 | 2 => {
                        let heavy = Heavy::new(self.rng, Kind::Truck);
                        self.heavy(heavy, lateral, z, heading);
                        z += 9.0;
                    }
                    3 => self.two_wheeler(two_wheelers::Kind::Motorcycle, View::Along, true, lateral, z),
                    _ => self.car(Self::rank(x), lateral, z + 2.3, heading),
                }
                z += 7.0 + self.rng.range(2.0, 50.0) * (1.2 - density);
            }
        }
    }

    /// A row of cars along the curb.
    fn parked(&mut self, side: &Roadside) {
        if !side.parking {
            return;
        }
        let x = side.curb - side.sign * PARKING * 0.48;
        let full = self.rng.range(0.35, 0.95);
        let mut z = self.rng.range(5.0, 11.0);
        while z < 100.0 {
            if !self.street.is_kept_clear(z) && self.rng.chance(full) {
                let heading =
                    if (side.sign < 0.0) == self.rng.chance(0.85) { std::f32::consts::PI } else { 0.0 };
                if self.rng.chance(0.04) {
                    let heavy = Heavy::new(self.rng, Kind::Truck);
                    self.heavy(heavy, x + side.sign * 0.1, z, heading);
                    z += 8.0;
                } else {
                    self.car(PARKED, x, z, heading);
                }
            }
            z += self.rng.range(5.4, 6.6);
        }
    }

    /// People on bicycles.
    fn cyclists(&mut self) {
        for _ in 0..self.rng.below(4) {
            let [left, right] = self.street.surface.edges;
            if self.rng.chance(0.5) {
                let coming = self.rng.chance(0.4);
                let inset = if self.street.sides[usize::from(!coming)].parking { PARKING + 0.5 } else { 0.8 };
                let x = if coming { left + inset } else { right - inset };
                let z = self.rng.range((x.abs() * 2.0).max(7.0), 26.0);
                self.two_wheeler(two_wheelers::Kind::Bicycle, View::Along, true, x, z);
            } else {
                let z = self.rng.range(9.0, 24.0);
                let x = self.rng.range(-0.35, 0.35) * z;
                self.two_wheeler(
                    two_wheelers::Kind::Bicycle,
                    View::Side,
                    true,
                    x.clamp(left - 1.5, right + 1.5),
                    z,
                );
            }
        }
    }
}
