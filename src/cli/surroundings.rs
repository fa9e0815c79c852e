//! What a report says about the machine and the CI job it was made on.

use crate::report::{Ci, Host};

/// The machine.
pub fn host() -> Host {
    Host {
        os: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
        cpus: std::thread::available_parallelism().map_or(1, |cores| u32::try_from(cores.get()).unwrap_or(u32::MAX)),
        mem_mb: kilobytes("/proc/meminfo", "MemTotal:").map(|kb| kb / 1024),
    }
}

/// The most memory this process has had, in bytes, where the system tells.
pub fn peak_memory() -> Option<u64> {
    kilobytes("/proc/self/status", "VmHWM:").map(|kb| kb * 1024)
}

fn kilobytes(file: &str, field: &str) -> Option<u64> {
    let text = std::fs::read_to_string(file).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(field))?;
    line.trim().trim_end_matches("kB").trim().parse().ok()
}

/// The CI job, where the environment says so.
pub fn ci(env: &dyn Fn(&str) -> Option<String>) -> Option<Ci> {
    if env("GITHUB_ACTIONS").is_some() {
        let run_url = Some(format!("{}/{}/actions/runs/{}", env("GITHUB_SERVER_URL")?, env("GITHUB_REPOSITORY")?, env("GITHUB_RUN_ID")?));
        return Some(Ci {
            provider: "github".to_owned(),
            run_url,
            commit: env("GITHUB_SHA"),
            branch: env("GITHUB_REF_NAME"),
            change: env("GITHUB_HEAD_REF"),
        });
    }
    if env("GITLAB_CI").is_some() {
        return Some(Ci {
            provider: "gitlab".to_owned(),
            run_url: env("CI_JOB_URL"),
            commit: env("CI_COMMIT_SHA"),
            branch: env("CI_COMMIT_REF_NAME"),
            change: env("CI_MERGE_REQUEST_IID"),
        });
    }
    env("CI").filter(|ci| ci == "true").map(|_| Ci { provider: "unknown".to_owned(), ..Ci::default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ci_job_is_told_by_its_environment() {
        let gitlab = |name: &str| match name {
            "GITLAB_CI" => Some("true".to_owned()),
            "CI_COMMIT_SHA" => Some("abc".to_owned()),
            _ => None,
        };
        let ci = ci(&gitlab).expect("a job");
        assert_eq!((ci.provider.as_str(), ci.commit.as_deref()), ("gitlab", Some("abc")));
        assert_eq!(super::ci(&|_| None), None);
    }
}
