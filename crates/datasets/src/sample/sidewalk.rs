//! Who and what is on the sidewalks and at crosswalks: lamps, signs, trees, people, parked bicycles.

use segbench_types::Rng;

use super::car::Car;
use super::furniture::{clutter, guide, lamp, sign, traffic_light};
use super::geometry::{Point, envelope};
use super::label::Label;
use super::painter::Painter;
use super::people::{Person, draw_group};
use super::solid::Frame;
use super::street::{CURB, Roadside};
use super::traffic::{Crowd, PARKED, WALK};
use super::two_wheelers::{Kind, View};
use super::vegetation::tree;

impl Crowd<'_> {
    /// Lamps, signs, bins and trees along one side.
    pub(super) fn furniture(&mut self, side: &Roadside) {
        let mut lamps = self.rng.range(5.0, 24.0);
        let spacing = self.rng.range(17.0, 30.0);
        let edge = side.out(0.45);
        while lamps < 90.0 {
            if !self.street.is_crossing(lamps, 0.5) {
                self.thing(edge, lamps, 0.1, 7.0, lamp);
            }
            lamps += spacing;
        }
        for _ in 0..1 + self.rng.below(3) {
            let z = self.rng.range(6.0, 34.0);
            if !self.street.is_crossing(z, 0.5) {
                let large = self.rng.chance(0.15);
                let outward = if large { 1.2 } else { 0.5 };
                self.thing(side.out(outward), z, 0.1, 2.4, if large { guide } else { sign });
            }
        }
        for _ in 0..self.rng.below(4) {
            let z = self.rng.range(6.0, 30.0);
            if !self.street.is_crossing(z, 0.5) {
                let x = side.out(self.rng.range(0.5, side.verge + side.walk - 0.4));
                self.thing(x, z, 0.25, 0.9, clutter);
            }
        }
        if self.rng.chance(if side.verge > 0.0 { 0.75 } else { 0.4 }) {
            let spacing = self.rng.range(8.0, 15.0);
            let mut z = self.rng.range(6.0, 16.0);
            while z < 95.0 {
                if !self.street.is_crossing(z, 2.5) && self.rng.chance(0.85) {
                    let height = self.rng.range(4.5, 9.0);
                    let x = side.out((side.verge * 0.5).max(0.8));
                    self.thing(x, z, height * 0.2, height, move |painter, rng, place, floor| {
                        tree(painter, rng, place, floor, height);
                    });
                }
                z += spacing;
            }
        }
    }

    /// People and parked bicycles on one sidewalk.
    pub(super) fn walkers(&mut self, side: &Roadside) {
        for _ in 0..self.rng.below(9) {
            let x = side.out(side.verge + self.rng.range(0.5, side.walk - 0.3));
            // Where somebody at this x comes into the picture.
            let z = self.rng.range((x.abs() * 2.1).max(6.0), 40.0);
            if !self.street.is_crossing(z, 0.0) {
                self.person(WALK, x, z, CURB);
            }
        }
        if self.rng.chance(0.35) {
            let out = side.verge + self.rng.range(0.7, side.walk - 0.4);
            let start = self.rng.range((side.out(out).abs() * 2.0).max(6.5), 22.0);
            for index in 0..2 + self.rng.below(4) {
                let x = side.out(out + self.rng.range(-0.3, 0.3));
                let z = start + index as f32 * self.rng.range(0.7, 1.1);
                self.two_wheeler(Kind::Bicycle, View::Side, false, x, z);
            }
        }
    }

    /// Traffic lights at the crosswalk, or one by the road.
    pub(super) fn lights(&mut self) {
        let Some(start) = self.street.surface.crosswalk.filter(|_| self.rng.chance(0.85)) else {
            if self.rng.chance(0.25) {
                let z = self.rng.range(14.0, 30.0);
                let x = self.street.sides[1].out(0.4);
                self.thing(x, z, 0.1, 3.2, |painter, rng, place, floor| {
                    traffic_light(painter, rng, place, floor, false)
                });
            }
            return;
        };
        let far = self.street.surface.crossing.map(|[_, to]| to + 1.0);
        for side in &self.street.sides {
            let arm = self.rng.chance(0.3);
            for z in [Some(start - 0.4), far].into_iter().flatten() {
                self.thing(side.out(0.4), z, 0.1, 3.4, move |painter, rng, place, floor| {
                    traffic_light(painter, rng, place, floor, arm);
                });
            }
        }
    }

    /// People on the crosswalk.
    pub(super) fn crossing_people(&mut self) {
        let Some(start) = self.street.surface.crosswalk.filter(|_| self.rng.chance(0.5)) else { return };
        for _ in 0..1 + self.rng.below(4) {
            let [left, right] = self.street.surface.edges;
            let x = self.rng.range(left + 0.5, right - 0.5);
            let z = start + self.rng.range(0.4, 2.8);
            if self.take(x, z - 0.3, z + 0.3) {
                self.person(Self::rank(x), x, z, 0.0);
            }
        }
    }

    /// What is too far or too dense to be told apart, outlined as one.
    pub(super) fn far_groups(&mut self) {
        let side = &self.street.sides[self.rng.below(2)];
        if self.rng.chance(0.5) {
            let z = self.rng.range(24.0, 45.0);
            let people: Vec<(Person, f32)> = (0..3 + self.rng.below(4))
                .map(|index| (Person::new(self.rng), side.out(side.verge + 0.4 + index as f32 * 0.45)))
                .collect();
            if !self.street.is_crossing(z, 0.0) {
                self.add(WALK, z, Vec::new(), 1.7, move |painter| draw_group(painter, &people, z, CURB));
            }
        }
        if self.rng.chance(0.35) && side.parking {
            let cars: Vec<(Car, Frame)> = (0..4)
                .rev()
                .map(|index| {
                    let car = Car::new(self.rng);
                    let frame = Frame::new(
                        side.curb - side.sign * 1.1,
                        104.0 + index as f32 * 5.6,
                        0.0,
                        car.length(),
                    );
                    (car, frame)
                })
                .collect();
            self.add(PARKED, 102.0, Vec::new(), 1.5, move |painter| {
                let parts: Vec<Vec<Point>> =
                    cars.iter().flat_map(|(car, frame)| car.parts(&painter.camera, frame)).collect();
                if painter.group(Label::Car, &envelope(&parts), 104.0) {
                    for (car, frame) in &cars {
                        car.paint(painter, frame, &[]);
                    }
                }
            });
        }
    }

    /// A stream for a thing that decides its details when it is drawn.
    fn fork(&mut self) -> Rng {
        Rng::new(self.rng.bits(), &[])
    }

    /// Something that stands on the sidewalk.
    fn thing(
        &mut self,
        x: f32,
        z: f32,
        half: f32,
        height: f32,
        draw: impl FnOnce(&mut Painter, &mut Rng, [f32; 2], f32) + 'static,
    ) {
        let mut rng = self.fork();
        let footprint =
            vec![[x - half, z - half], [x + half, z - half], [x + half, z + half], [x - half, z + half]];
        self.add(WALK, z, footprint, height.min(5.0), move |painter| draw(painter, &mut rng, [x, z], CURB));
    }

    /// Someone on foot.
    fn person(&mut self, rank: u8, x: f32, z: f32, floor: f32) {
        let person = Person::new(self.rng);
        let footprint =
            vec![[x - 0.2, z - 0.15], [x + 0.2, z - 0.15], [x + 0.2, z + 0.15], [x - 0.2, z + 0.15]];
        self.add(rank, z, footprint, person.height, move |painter| person.draw(painter, x, z, floor));
    }
}
