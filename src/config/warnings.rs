//! What works but is seldom meant. A warning stops nothing.

use toml::de::DeTable;

use super::host::{host, is_local, is_loopback};
use super::reader::{Reader, texts};
use super::{Config, Security, Transport, value};

/// Warns of settings whose effect is probably not what the owner wants.
pub(super) fn warn(reader: &mut Reader<'_>, document: &DeTable<'_>, config: &Config) {
    warn_of_proxies(reader, document);
    warn_of_origins(reader, document, config);
    warn_of_public_url(reader, document, config);
    warn_of_mail(reader, document, config);
    warn_of_access(reader, document, config);
    warn_of_metrics(reader, document, config);
}

fn warn_of_metrics(reader: &mut Reader<'_>, document: &DeTable<'_>, config: &Config) {
    let elsewhere = |it: &std::net::SocketAddr| !it.ip().is_loopback();
    if let Some(address) = config.metrics.listen.filter(elsewhere) {
        let key = "metrics.listen";
        let sentence = format!(
            "`{key}` is {address}: whoever reaches it reads the metrics, without a token and in clear"
        );
        reader.warn_of(document, &[key], sentence);
    }
}

fn warn_of_proxies(reader: &mut Reader<'_>, document: &DeTable<'_>) {
    let key = "server.trusted_proxies";
    for (item, text) in texts(document, key) {
        if value::network(text).is_ok_and(|network| network.prefix_len() == 0) {
            let sentence = format!(
                "`{key}` trusts every address: each client can choose the address under which it \
                 is limited; name your proxies only"
            );
            reader.warn(&item.span(), sentence);
        }
    }
}

fn warn_of_origins(reader: &mut Reader<'_>, document: &DeTable<'_>, config: &Config) {
    let origins = &config.server.allowed_origins;
    if origins.len() > 1 && origins.iter().any(|it| it == "*") {
        let key = "server.allowed_origins";
        let sentence = format!(r#"`{key}` holds "*", so its other origins mean nothing"#);
        reader.warn_of(document, &[key], sentence);
    }
}

fn warn_of_public_url(reader: &mut Reader<'_>, document: &DeTable<'_>, config: &Config) {
    let (key, url) = ("server.public_url", &config.server.public_url);
    let is_elsewhere = |it: &std::net::SocketAddr| !it.ip().is_loopback();
    if is_local(url) && config.server.listen.iter().any(is_elsewhere) {
        let sentence = format!(
            "`{key}` is {url}, which only this machine reaches, but `server.listen` lets others in"
        );
        reader.warn_of(document, &[key, "server.listen"], sentence);
    }
    if config.server.tls.is_some() && url.starts_with("http://") {
        let sentence = format!("`{key}` begins with http://, but `server.tls` makes it https://");
        reader.warn_of(document, &[key, "server.tls.cert"], sentence);
    }
}

fn warn_of_mail(reader: &mut Reader<'_>, document: &DeTable<'_>, config: &Config) {
    let (link, url) = (&config.reset.reset_link, &config.server.public_url);
    if link.starts_with("http://") && url.starts_with("https://") && !is_local(link) {
        let key = "reset.reset_link";
        let sentence = format!(
            "`{key}` begins with http://, so reset codes cross the network in clear, although \
             `server.public_url` is {url}"
        );
        reader.warn_of(document, &[key], sentence);
    }
    warn_of_mail_server(reader, document, config);
    let domain = config.mail.from.trim_end_matches('>').rsplit('@').next();
    let leaves = config.mail.transport != Transport::Log && host(url).is_some() && !is_local(url);
    if leaves && domain.is_some_and(is_loopback) {
        let key = "mail.from";
        let sentence = format!(
            "`{key}` is {}, which other mail servers refuse",
            config.mail.from
        );
        reader.warn_of(document, &[key, "mail.transport"], sentence);
    }
}

fn warn_of_mail_server(reader: &mut Reader<'_>, document: &DeTable<'_>, config: &Config) {
    let smtp = &config.mail.smtp;
    if smtp.security == Security::None && smtp.username.is_some() && smtp.allow_plain {
        let key = "mail.username";
        let sentence = format!(
            r#"`{key}` and its password cross the network in clear, because `mail.security` is "none""#
        );
        reader.warn_of(document, &[key], sentence);
    }
    if config.mail.transport != Transport::Smtp && !smtp.host.is_empty() {
        let key = "mail.host";
        let sentence = format!(
            r#"`{key}` means nothing while `mail.transport` is not "smtp": no mail leaves this machine"#
        );
        reader.warn_of(document, &[key], sentence);
    }
}

fn warn_of_access(reader: &mut Reader<'_>, document: &DeTable<'_>, config: &Config) {
    let accounts = &config.accounts;
    if accounts.signup && accounts.invite_required && accounts.invites.is_empty() {
        let key = "accounts.invite_required";
        let sentence = format!("`{key}` is true, but `accounts.invites` holds none");
        reader.warn_of(document, &[key], sentence);
    }
    let apis = &config.apis;
    if ![apis.angen, apis.token, apis.hub, apis.ephemeride, apis.core].contains(&true) {
        let sentence = "every API is switched off below `apis`".to_owned();
        reader.warn_of(document, &["apis"], sentence);
    }
}
