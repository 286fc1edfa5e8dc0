//! Guards: what releases print differently.

use std::fmt;

use ztwin_model::Release;

use super::Line;

/// `? openzfs < 2.2` ... `? else` ... `? end`: lines that only some releases print.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guard {
    /// The first arm whose condition holds counts. Never empty.
    pub arms: Vec<Arm>,
    /// `? else`: when no condition holds.
    pub otherwise: Option<Vec<Line>>,
}

/// A condition, and what is printed when it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arm {
    /// When it holds.
    pub when: Condition,
    /// What is printed then.
    pub lines: Vec<Line>,
}

/// `openzfs >= 2.2 < 2.4`: all comparisons hold. Never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// The comparisons.
    pub all: Vec<Comparison>,
}

/// A comparison with a release line, such as `< 2.2`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Comparison {
    /// How.
    pub operator: Operator,
    /// With which line: major and minor number.
    pub line: (u16, u16),
}

/// How a guard compares release lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `=`
    Equal,
    /// `>=`
    GreaterOrEqual,
    /// `>`
    Greater,
}

impl Operator {
    /// All of them.
    pub const ALL: [Operator; 5] = [
        Operator::Less,
        Operator::LessOrEqual,
        Operator::Equal,
        Operator::GreaterOrEqual,
        Operator::Greater,
    ];

    /// As it is written.
    #[must_use]
    pub const fn symbol(self) -> &'static str {
        match self {
            Operator::Less => "<",
            Operator::LessOrEqual => "<=",
            Operator::Equal => "=",
            Operator::GreaterOrEqual => ">=",
            Operator::Greater => ">",
        }
    }
}

/// The major and minor number of a release line.
pub(super) fn line_of(release: Release) -> (u16, u16) {
    let mut numbers = release.name().split('.').map(|n| n.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

impl Condition {
    /// `openzfs < release`.
    #[must_use]
    pub fn before(release: Release) -> Self {
        Condition {
            all: vec![Comparison {
                operator: Operator::Less,
                line: line_of(release),
            }],
        }
    }

    /// Whether it holds for `release`.
    #[must_use]
    pub fn holds(&self, release: Release) -> bool {
        let own = line_of(release);
        self.all
            .iter()
            .all(|Comparison { operator, line }| match operator {
                Operator::Less => own < *line,
                Operator::LessOrEqual => own <= *line,
                Operator::Equal => own == *line,
                Operator::GreaterOrEqual => own >= *line,
                Operator::Greater => own > *line,
            })
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("openzfs")?;
        for Comparison {
            operator,
            line: (major, minor),
        } in &self.all
        {
            write!(f, " {} {major}.{minor}", operator.symbol())?;
        }
        Ok(())
    }
}

impl Guard {
    /// The index of the part that `release` prints: arms count first, then `? else`.
    #[must_use]
    pub fn part(&self, release: Release) -> Option<usize> {
        self.arms
            .iter()
            .position(|arm| arm.when.holds(release))
            .or_else(|| self.otherwise.as_ref().map(|_| self.arms.len()))
    }

    /// The lines of each part, arms first, then `? else`.
    pub fn parts(&self) -> impl Iterator<Item = &[Line]> {
        self.arms
            .iter()
            .map(|arm| arm.lines.as_slice())
            .chain(self.otherwise.as_deref())
    }
}
