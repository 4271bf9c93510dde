//! The settings as JSON.

use serde_json::{Value, json};

use drapto::data::{Setting, SettingKind};

/// All settings, in the order of the help.
pub(super) fn settings() -> Value {
    drapto::settings().iter().map(setting).collect()
}

fn setting(setting: &Setting) -> Value {
    let mut value = json!({
        "name": setting.name,
        "group": setting.group(),
        "key": setting.key,
        "place": setting.place,
        "flag": setting.flag,
        "environment": setting.environment(),
        "unit": setting.unit,
        "default": setting.default,
        "help": setting.help,
        "example": setting.example,
        "needs_target": setting.needs_target,
    });
    let (kind, facts) = kind(setting.kind);
    value["type"] = kind.into();
    for (name, fact) in facts {
        value[name] = fact;
    }
    value
}

/// The name of the type and what bounds it.
fn kind(kind: SettingKind) -> (&'static str, Vec<(&'static str, Value)>) {
    match kind {
        SettingKind::Number { min, max } => ("number", vec![("min", min.into()), ("max", max.into())]),
        SettingKind::Whole { min, max } => ("whole", vec![("min", min.into()), ("max", max.into())]),
        SettingKind::OneOf(words) => ("one_of", vec![("words", words.into())]),
        SettingKind::Switch => ("switch", Vec::new()),
        SettingKind::Size => ("size", Vec::new()),
        SettingKind::Parameters => ("parameters", Vec::new()),
        SettingKind::Text => ("text", Vec::new()),
    }
}
