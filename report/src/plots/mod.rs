//! The plots, a file each. Each is drawn twice by the same function: for the
//! page, in colours that follow the reader's light or dark theme, and for files.

mod calibration;
mod classes;
mod confusion;
mod curves;
mod graph;
mod look;

use kuva::RasterBackend;
use kuva::backend::svg::SvgBackend;
use kuva::render::render::{Primitive, Scene};

use crate::run::Run;
use crate::{Calibration, Error};
use look::Look;

/// Pixels of a PNG for each unit of the drawing.
const SCALE: f32 = 2.0;
/// No PNG is higher or wider than this many pixels.
const LARGEST: f64 = 12_000.0;

/// A plot, for the page and for files.
pub(crate) struct Plot {
    /// Of its files, and of its place on the page.
    pub(crate) name: &'static str,
    /// What it shows.
    pub(crate) title: String,
    page: Scene,
    file: Scene,
}

/// All plots of a run.
pub(crate) fn all(run: &Run<'_>, calibration: &Calibration) -> Vec<Plot> {
    vec![
        curves::loss(&run.history),
        curves::accuracy(&run.history),
        curves::learning_rate(&run.history),
        confusion::confusion(&run.evaluation),
        classes::classes(&run.evaluation),
        calibration::reliability(calibration),
        calibration::confidence(calibration),
        graph::graph(&run.graph),
    ]
}

impl Plot {
    fn new(name: &'static str, title: &str, draw: impl Fn(&Look) -> Scene) -> Self {
        let drawn = |look: Look| with_stable_ids(draw(&look), name);
        Self {
            name,
            title: title.to_owned(),
            page: drawn(look::page()),
            file: drawn(look::file(title)),
        }
    }

    /// As an element of the page, as wide as there is place, at most at its own
    /// size.
    pub(crate) fn element(&self) -> String {
        let svg = SvgBackend::new().render_scene(&self.page);
        let (width, height) = (self.page.width, self.page.height);
        let content = svg.split_once('>').map_or("", |(_, content)| content);
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" \
             style=\"width:{width:.0}px\" role=\"img\" aria-label=\"{}\" \
             fill=\"var(--ink)\">{content}",
            self.title
        )
    }

    /// As an SVG file.
    pub(crate) fn svg(&self) -> String {
        SvgBackend::new().render_scene(&self.file)
    }

    /// As a PNG file.
    pub(crate) fn png(&self) -> Result<Vec<u8>, Error> {
        let largest = self.file.width.max(self.file.height);
        let scale = SCALE.min((LARGEST / largest) as f32);
        let backend = RasterBackend::new().with_scale(scale);
        backend.render_scene(&self.file).map_err(|reason| {
            let name = self.name;
            Error::Picture { name, reason }
        })
    }
}

/// Names clip paths after the plot: kuva counts them over the process, so that
/// the same plot would not have the same bytes, and plots of one page would
/// share names with those of another.
fn with_stable_ids(mut scene: Scene, name: &str) -> Scene {
    let clips = scene
        .elements
        .iter_mut()
        .filter_map(|element| match element {
            Primitive::ClipStart { id, .. } => Some(id),
            _ => None,
        });
    for (index, id) in clips.enumerate() {
        let stable = format!("{name}-clip-{index}");
        let quoted = |id: &str| format!("id=\"{id}\"");
        for def in &mut scene.defs {
            *def = def.replace(&quoted(id), &quoted(&stable));
        }
        *id = stable;
    }
    scene
}
