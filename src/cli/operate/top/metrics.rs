//! Reads what the server has counted, in the text format of Prometheus.

/// All metrics of one moment.
#[derive(Debug, Default)]
pub(super) struct Metrics(Vec<Metric>);

#[derive(Debug)]
struct Metric {
    name: String,
    labels: Vec<(String, String)>,
    value: f64,
}

/// A label that a metric must have.
pub(super) type Label<'a> = (&'a str, &'a str);

impl Metrics {
    /// The metrics of a text. Lines that are no metric are left out.
    pub(super) fn parse(text: &str) -> Metrics {
        Metrics(text.lines().filter_map(Metric::parse).collect())
    }

    /// The sum of the metrics with this name and these labels; none if there is none.
    pub(super) fn sum(&self, name: &str, labels: &[Label]) -> Option<f64> {
        let mut values = self.all(name, labels).map(|it| it.value).peekable();
        values.peek()?;
        Some(values.sum())
    }

    /// The different values of a label of the metrics with this name, in their order.
    pub(super) fn values_of(&self, name: &str, label: &str) -> Vec<&str> {
        let mut values: Vec<&str> = Vec::new();
        for value in self.all(name, &[]).filter_map(|it| it.label(label)) {
            if !values.contains(&value) {
                values.push(value);
            }
        }
        values
    }

    /// The value of a label of the metric with this name that is 1.
    pub(super) fn chosen(&self, name: &str, label: &str) -> Option<&str> {
        let mut chosen = self.all(name, &[]).filter(|it| it.value > 0.5);
        chosen.find_map(|it| it.label(label))
    }

    fn all<'a>(&'a self, name: &str, labels: &[Label]) -> impl Iterator<Item = &'a Metric> {
        let has = move |it: &Metric| {
            let mut asked = labels.iter();
            it.name == name && asked.all(|(key, value)| it.label(key) == Some(value))
        };
        self.0.iter().filter(move |it| has(it))
    }
}

impl Metric {
    fn parse(line: &str) -> Option<Metric> {
        if line.starts_with('#') {
            return None;
        }
        let (head, value) = line.rsplit_once(' ')?;
        let (name, labels) = head.split_once('{').unwrap_or((head, "}"));
        let labels = labels.strip_suffix('}')?;
        // Values come from tables of the program: none has a quote or a comma.
        let pairs = labels.split(',').filter_map(|pair| pair.split_once('='));
        let unquoted = pairs.map(|(key, value)| (key.to_owned(), value.replace('"', "")));
        Some(Metric {
            name: name.to_owned(),
            labels: unquoted.collect(),
            value: value.parse().ok()?,
        })
    }

    fn label(&self, key: &str) -> Option<&str> {
        let label = self.labels.iter().find(|label| label.0 == key);
        label.map(|label| label.1.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# TYPE a counter\n\
                        a_total{route=\"x\",status=\"200\"} 3\n\
                        a_total{route=\"y\",status=\"200\"} 4\n\
                        b 0.25\n\
                        health{state=\"fine\"} 0\n\
                        health{state=\"full\"} 1\n\n";

    #[test]
    fn metrics_are_added_up_by_their_labels() {
        let metrics = Metrics::parse(TEXT);
        assert_eq!(metrics.sum("a_total", &[]), Some(7.0));
        assert_eq!(metrics.sum("a_total", &[("route", "y")]), Some(4.0));
        assert_eq!(metrics.sum("a_total", &[("route", "z")]), None);
        assert_eq!(metrics.sum("b", &[]), Some(0.25));
        assert_eq!(metrics.values_of("a_total", "route"), ["x", "y"]);
        assert_eq!(metrics.chosen("health", "state"), Some("full"));
    }
}
