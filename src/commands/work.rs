use crate::config::Settings;

pub(super) async fn run(_settings: Settings) -> anyhow::Result<()> {
    anyhow::bail!("this command is not wired yet")
}
