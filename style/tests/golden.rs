//! The rules of classes, frozen after each was measured in Chromium against the sheet of Tailwind 4.
//!
//! To add one: `cargo xtask css CLASS…` prints lines for `golden.txt`.

const GOLDEN: &str = include_str!("golden.txt");

#[test]
fn every_class_makes_the_rule_that_was_agreed_on() {
    let mut differing = Vec::new();
    let mut count = 0;
    for entry in GOLDEN.split("# ").filter(|entry| !entry.is_empty()) {
        let (class, expected) = entry.split_once('\n').expect("a class and its rules");
        let sheet = style::sheet([class]);
        let rules = sheet.css.trim_start_matches("@layer utilities{\n").strip_suffix("}\n").expect("a layer");
        if rules != expected {
            differing.push(format!("{class}\n  is       {rules}  expected {expected}"));
        }
        count += 1;
    }
    assert!(differing.is_empty(), "{}", differing.join("\n"));
    assert!(count > 350, "only {count} classes in golden.txt");
}

#[test]
fn nonsense_has_no_rule() {
    let nonsense = [
        "max-w-banana",
        "w-",
        "p-x",
        "p-4px",
        "text-huge",
        "bg-surfaces",
        "bg-surface/500",
        "border-t-banana",
        "flexx",
        "grid-cols-many",
        "rounded-t-huge",
        "hover:",
        ":flex",
        "hoover:flex",
        "md:lgg:flex",
        "-flex",
        "-p-4",
        "z-top",
        "[color]",
        "[color:red;x:y]",
        "text-[red;}]",
        "opacity-200",
        "shadow-huge",
        "duration-fast",
        "items-middle",
        "justify-middle",
        "cursor-hand",
        "whitespace-none",
        "font-heavy",
        "order-middle",
        "self-middle",
        "object-middle",
    ];
    let sheet = style::sheet(nonsense);
    let known: Vec<_> =
        nonsense.iter().filter(|class| !sheet.unknown.iter().any(|name| name == *class)).collect();
    assert!(known.is_empty(), "accepted: {known:?}\n{}", sheet.css);
}

#[test]
fn a_class_without_a_rule_is_named_with_its_place() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("page.rs");
    std::fs::write(&file, "view! {\n  <p class=\"flex bananas\">\"x\"</p>\n}").expect("a file");

    let error = style::build(folder.path()).expect_err("bananas have no rule").to_string();

    assert!(error.contains(&format!("{}:2: `bananas`", file.display())), "{error}");
}

#[test]
fn the_sheet_holds_the_layers_the_tokens_and_what_is_used() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("page.rs"), "view! { <p class=\"flex\">\"x\"</p> }").expect("a file");

    let sheet = style::build(folder.path()).expect("flex has a rule");

    assert!(sheet.starts_with("@layer base,components,utilities;"));
    assert!(sheet.contains("--accent: light-dark("));
    assert!(sheet.contains(".flex{display:flex}"));
    assert!(!sheet.contains("/*"));
}
