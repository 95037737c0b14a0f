//! The program `tidegate`.

fn main() {
    let mut args = std::env::args().skip(1);
    match args.next().as_deref() {
        Some("git-fetch") => tidegate::git::child::run().expect("fetch"),
        Some("run") => {
            tracing_subscriber::fmt()
                .with_env_filter("info,tidegate=debug")
                .with_writer(std::io::stderr)
                .init();
            let mut options = tidegate::sync::Options {
                config: "".into(),
                once: false,
                dry_run: false,
                allow_file_urls: false,
                secrets: None,
                instance: "tidegate".into(),
                cache: "/tmp/tg-cache".into(),
                namespace: None,
                program: std::env::current_exe().unwrap(),
                kubeconfig: None,
                context: None,
            };
            while let Some(a) = args.next() {
                match a.as_str() {
                    "--config" => options.config = args.next().unwrap().into(),
                    "--once" => options.once = true,
                    "--allow-file-urls" => options.allow_file_urls = true,
                    "--secrets" => options.secrets = Some(args.next().unwrap().into()),
                    "--cache" => options.cache = args.next().unwrap().into(),
                    "--namespace" => options.namespace = Some(args.next().unwrap()),
                    "--instance" => options.instance = args.next().unwrap(),
                    "--kubeconfig" => options.kubeconfig = Some(args.next().unwrap().into()),
                    other => panic!("{other}"),
                }
            }
            tidegate::git::prepare().unwrap();
            let _ = rustls::crypto::ring::default_provider().install_default();
            let (_tx, rx) = tokio::sync::watch::channel(false);
            let rt = tokio::runtime::Runtime::new().unwrap();
            if let Err(e) = rt.block_on(tidegate::sync::run(options, rx)) {
                eprintln!("{e}");
                std::process::exit(2)
            }
        }
        _ => {}
    }
}
