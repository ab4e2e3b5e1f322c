//! OpenTelemetry: traces and metrics are flushed last of all, so that the last request is in them, and so is what the
//! other resources did while they closed.
//!
//! ```sh
//! docker run -p 4318:4318 otel/opentelemetry-collector
//! OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318 cargo run -p resources --example 03_opentelemetry
//! curl http://127.0.0.1:8080/work      # and Ctrl-C at once
//! ```
//! What to look at: spans are sent every five seconds, so those of the last ones are sent by the flush. Without a
//! collector the exit is as quick; its code is 1, and the report says what could not be sent.

use std::process::ExitCode;
use std::time::Duration;

use axum::{Router, routing::get};
use lameduck::{Error, Lifecycle, Service, Setup};
use opentelemetry::metrics::MeterProvider;
use opentelemetry::trace::{Span, Tracer, TracerProvider};
use opentelemetry_otlp::{MetricExporter, SpanExporter, WithExportConfig};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::trace::SdkTracerProvider;

/// How long the collector may take for an export: less than the close budget.
const EXPORT: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    resources::log();
    Service::new("traced").run(async |shop: &mut Setup| {
        // Their addresses are in OTEL_EXPORTER_OTLP_ENDPOINT. Their threads are their own.
        let exporter = SpanExporter::builder().with_http().with_timeout(EXPORT).build()?;
        let traces = SdkTracerProvider::builder().with_batch_exporter(exporter).build();
        let traces = shop.resource_with("traces", traces, close_traces);
        let exporter = MetricExporter::builder().with_http().with_timeout(EXPORT).build()?;
        let metrics = SdkMeterProvider::builder().with_periodic_exporter(exporter).build();
        let metrics = shop.resource_with("metrics", metrics, close_metrics);

        // Resources without a use between them close side by side: this one uses both, so it closes before.
        let tracer = traces.tracer("shop");
        let ledger = shop
            .resource_with("ledger", tracer.clone(), async |tracer| {
                tracer.start("close the ledger").end();
                Ok(())
            })
            .uses(&traces)
            .uses(&metrics);

        let requests = metrics.meter("shop").u64_counter("requests").build();
        let work = async move || {
            let mut span = tracer.start("work of a request");
            tokio::time::sleep(Duration::from_millis(300)).await;
            requests.add(1, &[]);
            span.end();
            "done\n"
        };
        shop.http("public", resources::address(), Router::new().route("/work", get(work)))
            .uses(&ledger);
        Ok(())
    })
}

/// `shutdown` alone would send the last spans too, but not say if they could not be sent.
async fn close_traces(traces: SdkTracerProvider) -> Result<(), Error> {
    apart(move || traces.force_flush().and(traces.shutdown())).await
}

async fn close_metrics(metrics: SdkMeterProvider) -> Result<(), Error> {
    apart(move || metrics.shutdown()).await
}

/// All of these block their thread until the collector has answered: so on one where that harms nobody, and which the
/// exit leaves behind if it takes longer than the close budget.
async fn apart(close: impl FnOnce() -> OTelSdkResult + Send + 'static) -> Result<(), Error> {
    let life = Lifecycle::try_current().ok_or("not on a task of a service")?;
    Ok(life.spawn_blocking("flush", close).await??)
}
