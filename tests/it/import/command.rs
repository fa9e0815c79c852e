//! `brownout import openapi`, as a user starts it.

use super::document;
use crate::support::shell::Folder;

const OTHER: &str = r##"{"openapi":"3.0.0","info":{"title":"T","version":"1"},"paths":{"/a":{"get":{"responses":{"200":{},
    "404":{"content":{"application/json":{"schema":{"$ref":"parts/error.yaml#/Error"}}}}}}}}}"##;

#[test]
fn a_contract_goes_to_standard_output_and_the_report_beside_it() {
    let folder = Folder::new();
    folder.put("galaxy.yaml", document("galaxy-3.1.yaml"));
    let done = folder.brownout(["import", "openapi", "galaxy.yaml"]).ended();
    assert_eq!(done.code, 0, "{}", done.stderr);
    assert!(done.stdout.starts_with("# Errors of \"Scalar Galaxy\"") && done.stdout.contains("[[error]]"), "{}", done.stdout);
    assert!(done.stderr.contains("9 operations, 13 error responses"), "{}", done.stderr);
}

#[test]
fn a_file_is_written_once_and_its_plan_can_be_checked() {
    let folder = Folder::new();
    folder.put("galaxy.yaml", document("galaxy-3.1.yaml"));
    let line = ["import", "openapi", "galaxy.yaml", "--out", "contract.toml", "--report", "json"];
    let done = folder.brownout(line).ended();
    assert_eq!(done.code, 0, "{}", done.stderr);
    let report: serde_json::Value = serde_json::from_str(&done.stdout).expect("JSON alone on standard output");
    assert_eq!((report["operations"].as_u64(), report["document"].as_str()), (Some(9), Some("galaxy.yaml")));
    let again = folder.brownout(line).ended();
    assert_eq!(again.code, 2);
    assert!(again.stderr.contains("--force overwrites it"), "{}", again.stderr);
    assert_eq!(folder.brownout(line).args(["--force"]).ended().code, 0);
    folder.put(
        "plan.toml",
        "plan = 1\nname = \"p\"\n[target]\nurl = \"http://127.0.0.1:9\"\n[contract]\nfile = \"contract.toml\"\n[[scenario]]\nname = \"s\"\n\
         [[scenario.step]]\nname = \"x\"\nrequest = \"GET /planets/1\"\n[load]\n[[load.stage]]\nname = \"s\"\nfor = \"1s\"\nrate = \"1/s\"\n",
    );
    let checked = folder.check().ended();
    assert_eq!(checked.code, 0, "{}", checked.stderr);
}

#[test]
fn other_files_are_read_only_when_asked_for_and_only_inside_the_folder() {
    let folder = Folder::new();
    folder.put("spec.json", OTHER);
    let refused = folder.brownout(["import", "openapi", "spec.json"]).ended();
    assert_eq!(refused.code, 2);
    assert!(refused.stderr.contains("another file, not read: `parts/error.yaml#/Error`"), "{}", refused.stderr);
    assert!(refused.stderr.contains("spec.json#/paths/~1a/get/responses/404/content/application~1json/schema/$ref"), "{}", refused.stderr);
    let missing = folder.brownout(["import", "openapi", "spec.json", "--follow-files"]).ended();
    assert_eq!(missing.code, 2, "{}", missing.stderr);
    std::fs::create_dir(folder.at("parts")).expect("a folder");
    folder.put("parts/error.yaml", "Error:\n  type: object\n  required: [code]\n  properties:\n    code: { type: string }\n");
    let done = folder.brownout(["import", "openapi", "spec.json", "--follow-files"]).ended();
    assert_eq!(done.code, 0, "{}", done.stderr);
    assert!(done.stdout.contains("# source: parts/error.yaml#/Error"), "{}", done.stdout);
    #[cfg(unix)]
    {
        let outside = Folder::new();
        outside.put("error.yaml", "Error: { type: object }\n");
        std::fs::remove_file(folder.at("parts/error.yaml")).expect("a file");
        std::os::unix::fs::symlink(outside.at("error.yaml"), folder.at("parts/error.yaml")).expect("a link");
        let refused = folder.brownout(["import", "openapi", "spec.json", "--follow-files"]).ended();
        assert_eq!(refused.code, 2, "{}", refused.stdout);
        assert!(refused.stderr.contains("it leads out of the folder of the document"), "{}", refused.stderr);
    }
}

#[test]
fn what_is_unusable_ends_with_two_and_writes_nothing() {
    let folder = Folder::new();
    folder.put("bad.json", "{\"openapi\": \"3.0.0\"");
    for name in ["bad.json", "missing.json", "."] {
        let done = folder.brownout(["import", "openapi", name, "--out", "contract.toml"]).ended();
        assert_eq!((done.code, done.stdout.as_str()), (2, ""), "{name}: {}", done.stderr);
        assert!(done.stderr.starts_with("error: "), "{name}: {}", done.stderr);
        assert!(!folder.at("contract.toml").exists());
    }
}
