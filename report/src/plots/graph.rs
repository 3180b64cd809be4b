//! The exported network as boxes in layers, from the input down, by the method
//! of Sugiyama, Tagawa and Toda ("Methods for Visual Understanding of
//! Hierarchical System Structures", 1981): each node stands below those that it
//! takes from, links that pass a layer have a place in it, and the places of a
//! layer are ordered by the mean place of their neighbours.

use kuva::render::color::Color;
use kuva::render::render::{PathData, Primitive, Scene, TextAnchor};

use super::Plot;
use super::look::{Look, literal, text_width};
use crate::run::{Graph, Link, Node};

const TEXT: u32 = 12;
const SMALL: u32 = 11;
const LINE: f64 = 16.0;
const PADDING: f64 = 10.0;
/// Between boxes of a layer.
const GAP: f64 = 24.0;
/// Between layers.
const DROP: f64 = 30.0;
const MARGIN: f64 = 12.0;
/// Of a link that passes a layer.
const PASS: f64 = 8.0;
/// Times that the places are ordered anew, down and up.
const SWEEPS: usize = 4;

/// The graph of the exported network.
pub(super) fn graph(graph: &Graph) -> Plot {
    let layers = layers(graph);
    let box_width = graph.nodes.iter().map(width).fold(0.0, f64::max);
    Plot::new("graph", "Exported network", |look| {
        draw(look, graph, &layers, box_width)
    })
}

/// What has a place in a layer.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Place {
    Node(usize),
    /// The link with this position passes.
    Pass(usize),
}

/// The places of each layer, from left to right.
fn layers(graph: &Graph) -> Vec<Vec<Place>> {
    let mut depth = vec![0; graph.nodes.len()];
    let mut links: Vec<&Link> = graph.links.iter().collect();
    links.sort_by_key(|link| link.to);
    for link in links {
        depth[link.to] = depth[link.to].max(depth[link.from] + 1);
    }
    let count = depth.iter().max().map_or(0, |deepest| deepest + 1);
    let mut layers = vec![Vec::new(); count];
    for (node, &depth) in depth.iter().enumerate() {
        layers[depth].push(Place::Node(node));
    }
    for (index, link) in graph.links.iter().enumerate() {
        for layer in &mut layers[depth[link.from] + 1..depth[link.to]] {
            layer.push(Place::Pass(index));
        }
    }
    for _ in 0..SWEEPS {
        for layer in 1..count {
            order(graph, &mut layers, layer, layer - 1);
        }
        for layer in (1..count).rev() {
            order(graph, &mut layers, layer - 1, layer);
        }
    }
    layers
}

/// Orders a layer by the mean place of its neighbours in another.
fn order(graph: &Graph, layers: &mut [Vec<Place>], layer: usize, other: usize) {
    let mean = |index: usize, place: Place| {
        let near = layers[other].iter().enumerate();
        let near = near.filter(|&(_, &neighbour)| joined(graph, place, neighbour));
        let (sum, count) = near.fold((0, 0), |(sum, count), (at, _)| (sum + at, count + 1));
        match count {
            0 => index as f64,
            count => f64::from(sum as u32) / f64::from(count),
        }
    };
    let places = layers[layer].iter().enumerate();
    let mut ordered: Vec<(f64, Place)> =
        places.map(|(i, &place)| (mean(i, place), place)).collect();
    ordered.sort_by(|a, b| a.0.total_cmp(&b.0));
    layers[layer] = ordered.into_iter().map(|(_, place)| place).collect();
}

/// Whether a link goes through both places, which stand in layers side by side.
fn joined(graph: &Graph, a: Place, b: Place) -> bool {
    let touches = |link: usize, node: usize| {
        let link = graph.links[link];
        link.from == node || link.to == node
    };
    match (a, b) {
        (Place::Pass(a), Place::Pass(b)) => a == b,
        (Place::Pass(link), Place::Node(node)) | (Place::Node(node), Place::Pass(link)) => {
            touches(link, node)
        }
        (Place::Node(a), Place::Node(b)) => {
            let link =
                |link: &Link| (link.from, link.to) == (a, b) || (link.from, link.to) == (b, a);
            graph.links.iter().any(link)
        }
    }
}

fn width(node: &Node) -> f64 {
    let head = text_width(&head(node), TEXT);
    let shapes = node.shapes.iter().map(|shape| text_width(shape, SMALL));
    shapes.fold(head, f64::max) + 2.0 * PADDING
}

fn height(node: &Node) -> f64 {
    LINE * (1 + node.shapes.len()) as f64 + 2.0 * PADDING - 4.0
}

fn head(node: &Node) -> String {
    match node.name.as_str() {
        "" => node.op.clone(),
        name => format!("{}  {name}", node.op),
    }
}

/// Where a place stands: the middle of its upper edge, and its height.
#[derive(Clone, Copy, Default)]
struct Spot {
    x: f64,
    y: f64,
    height: f64,
}

/// The spot of each node, and those that each link passes, from above.
struct Spots {
    nodes: Vec<Spot>,
    passes: Vec<Vec<Spot>>,
    width: f64,
    height: f64,
}

fn spots(graph: &Graph, layers: &[Vec<Place>], box_width: f64, top: f64) -> Spots {
    let wide = |place: &Place| match place {
        Place::Node(_) => box_width,
        Place::Pass(_) => PASS,
    };
    let layer_width = |layer: &Vec<Place>| {
        layer.iter().map(wide).sum::<f64>() + GAP * layer.len().saturating_sub(1) as f64
    };
    let widest = layers.iter().map(layer_width).fold(box_width, f64::max);
    let mut nodes = vec![Spot::default(); graph.nodes.len()];
    let mut passes = vec![Vec::new(); graph.links.len()];
    let mut y = top + MARGIN;
    for layer in layers {
        let tall = |place: &Place| match place {
            Place::Node(node) => height(&graph.nodes[*node]),
            Place::Pass(_) => 0.0,
        };
        let tallest = layer.iter().map(tall).fold(0.0, f64::max);
        let mut x = MARGIN + (widest - layer_width(layer)) / 2.0;
        for place in layer {
            let middle = x + wide(place) / 2.0;
            let spot = |height| Spot {
                x: middle,
                y,
                height,
            };
            match place {
                Place::Node(node) => nodes[*node] = spot(tall(place)),
                Place::Pass(link) => passes[*link].push(spot(tallest)),
            }
            x += wide(place) + GAP;
        }
        y += tallest + DROP;
    }
    Spots {
        nodes,
        passes,
        width: widest + 2.0 * MARGIN,
        height: (y - DROP).max(top + MARGIN) + MARGIN,
    }
}

fn draw(look: &Look, graph: &Graph, layers: &[Vec<Place>], box_width: f64) -> Scene {
    let top = if look.title().is_some() { 28.0 } else { 0.0 };
    let spots = spots(graph, layers, box_width, top);
    let mut scene = Scene::new(spots.width, spots.height);
    scene.background_color = Some(look.background().to_owned());
    scene.text_color = Some(look.ink.to_owned());
    scene.font_family = Some("DejaVu Sans, Verdana, Arial, sans-serif".to_owned());
    if let Some(title) = look.title() {
        let writing = Writing {
            x: spots.width / 2.0,
            y: 22.0,
            size: 14,
            bold: false,
            color: look.ink,
        };
        scene.add(writing.of(title));
    }
    for (link, passes) in graph.links.iter().zip(&spots.passes) {
        let (from, to) = (spots.nodes[link.from], spots.nodes[link.to]);
        draw_link(look, &mut scene, from, passes, to);
    }
    for (node, spot) in graph.nodes.iter().zip(&spots.nodes) {
        draw_node(look, &mut scene, node, *spot, box_width);
    }
    scene
}

/// A curve from the lower edge of one box, past others, to the upper edge of
/// another.
fn draw_link(look: &Look, scene: &mut Scene, from: Spot, passes: &[Spot], to: Spot) {
    let (mut x, mut y) = (from.x, from.y + from.height);
    let mut path = format!("M {x:.1} {y:.1}");
    for spot in passes.iter().chain([&to]) {
        let bend = (y + spot.y) / 2.0;
        path += &format!(
            " C {x:.1} {bend:.1} {:.1} {bend:.1} {:.1} {:.1}",
            spot.x, spot.x, spot.y
        );
        (x, y) = (spot.x, spot.y + spot.height);
        if spot.y < to.y {
            path += &format!(" L {x:.1} {y:.1}");
        }
    }
    scene.add(stroke(look.muted, path, None));
    let (x, y) = (to.x, to.y);
    let tip = format!(
        "M {x:.1} {y:.1} L {:.1} {:.1} L {:.1} {:.1} Z",
        x - 4.0,
        y - 7.0,
        x + 4.0,
        y - 7.0
    );
    scene.add(stroke(look.muted, tip, Some(look.muted)));
}

fn stroke(color: &str, d: String, fill: Option<&str>) -> Primitive {
    Primitive::Path(Box::new(PathData {
        d,
        fill: fill.map(Color::from),
        stroke: Color::from(color),
        stroke_width: 1.2,
        opacity: None,
        stroke_dasharray: None,
    }))
}

fn draw_node(look: &Look, scene: &mut Scene, node: &Node, spot: Spot, width: f64) {
    scene.add(Primitive::Rect {
        x: spot.x - width / 2.0,
        y: spot.y,
        width,
        height: spot.height,
        fill: Color::from(look.tint(look.series[0], 0.1)),
        stroke: Some(Color::from(look.series[0])),
        stroke_width: Some(1.0),
        opacity: None,
    });
    let line = |index: usize| spot.y + PADDING + LINE * index as f64 + 9.0;
    let x = spot.x;
    let writing = |index: usize, size: u32, color: &'static str| Writing {
        x,
        y: line(index),
        size,
        bold: index == 0,
        color,
    };
    scene.add(writing(0, TEXT, look.ink).of(&head(node)));
    for (index, shape) in node.shapes.iter().enumerate() {
        scene.add(writing(index + 1, SMALL, look.muted).of(shape));
    }
}

/// Where and how a text stands.
struct Writing {
    x: f64,
    y: f64,
    size: u32,
    bold: bool,
    color: &'static str,
}

impl Writing {
    fn of(&self, text: &str) -> Primitive {
        Primitive::Text {
            x: self.x,
            y: self.y,
            content: literal(text),
            size: self.size,
            anchor: TextAnchor::Middle,
            rotate: None,
            bold: self.bold,
            color: Some(Color::from(self.color)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(from: usize, to: usize) -> Link {
        Link { from, to }
    }

    fn example(nodes: usize, links: &[Link]) -> Graph {
        let node = Node {
            op: "Relu".to_owned(),
            name: String::new(),
            shapes: Vec::new(),
        };
        Graph {
            nodes: vec![node; nodes],
            links: links.to_vec(),
            facts: Vec::new(),
        }
    }

    #[test]
    fn nodes_stand_below_those_they_take_from_and_shortcuts_pass_beside() {
        // 0 → 1 → 2 → 3, and 0 → 3 around them.
        let graph = example(4, &[link(0, 1), link(1, 2), link(0, 3), link(2, 3)]);
        let layers = layers(&graph);
        assert_eq!(layers.len(), 4);
        assert_eq!(layers[0], [Place::Node(0)]);
        assert_eq!(layers[1], [Place::Node(1), Place::Pass(2)]);
        assert_eq!(layers[2], [Place::Node(2), Place::Pass(2)]);
        assert_eq!(layers[3], [Place::Node(3)]);
    }

    #[test]
    fn no_boxes_overlap() {
        let graph = example(
            5,
            &[link(0, 1), link(0, 2), link(0, 3), link(1, 4), link(3, 4)],
        );
        let layers = layers(&graph);
        let spots = spots(&graph, &layers, 100.0, 0.0).nodes;
        for (i, a) in spots.iter().enumerate() {
            for b in &spots[..i] {
                let apart = (a.x - b.x).abs() >= 100.0 || a.y >= b.y + b.height;
                assert!(apart, "{i}");
            }
        }
    }

    #[test]
    fn empty_graph_is_drawn_as_nothing() {
        let plot = graph(&example(0, &[]));
        assert!(plot.svg().starts_with("<svg"));
    }
}
