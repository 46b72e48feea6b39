//! The callers: a number of connections, each sending the next request when the answer to the last
//! has arrived and was checked.

use std::{
    io,
    net::SocketAddr,
    time::{Duration, Instant},
};

use tokio::net::TcpStream;

use super::http::{Wire, find};

/// What is asked, and what must come back.
#[derive(Clone)]
pub struct Shape {
    /// Where the target listens.
    pub address: SocketAddr,
    /// The path asked for.
    pub path: String,
    /// Header lines beyond the usual, each ending in CR LF.
    pub headers: String,
    /// The body, with `ID` where the request's id goes.
    pub body: String,
    /// How long the answer's body is at least.
    pub answer_bytes_min: usize,
    /// What stands in the answer, beside its id.
    pub answer_holds: String,
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub struct Run {
    /// Checked answers.
    pub answers: u64,
    /// Answers that were not what was asked for.
    pub wrong: u64,
    /// Wall time.
    pub elapsed: Duration,
    /// How long each answer took, sorted.
    pub latencies: Vec<Duration>,
}

impl Run {
    /// Returns answers per second.
    pub fn rate(&self) -> f64 {
        self.answers as f64 / self.elapsed.as_secs_f64()
    }

    /// Returns the latency that a share `q` of the answers did not exceed, in microseconds.
    pub fn quantile_us(&self, q: f64) -> f64 {
        let rank = ((self.latencies.len() as f64 * q).ceil() as usize).clamp(1, self.latencies.len().max(1));
        self.latencies.get(rank - 1).map_or(0.0, |latency| latency.as_secs_f64() * 1e6)
    }
}

/// Asks over `connections` connections for `period`.
pub async fn run(shape: &Shape, connections: usize, period: Duration) -> io::Result<Run> {
    let begun = Instant::now();
    let callers: Vec<_> =
        (0..connections).map(|_| tokio::spawn(caller(shape.clone(), begun + period))).collect();
    let mut sum = Run::default();
    for caller in callers {
        let part = caller.await.map_err(io::Error::other)??;
        sum.answers += part.answers;
        sum.wrong += part.wrong;
        sum.latencies.extend(part.latencies);
    }
    sum.elapsed = begun.elapsed();
    sum.latencies.sort_unstable();
    Ok(sum)
}

async fn caller(shape: Shape, until: Instant) -> io::Result<Run> {
    let mut wire = Wire::new(TcpStream::connect(shape.address).await?)?;
    let mut run = Run::default();
    let mut id = 0_u64;
    while Instant::now() < until {
        id += 1;
        let body = shape.body.replace("ID", &id.to_string());
        let request = format!(
            "POST {} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\n\
             Accept: application/json, text/event-stream\r\nContent-Length: {}\r\n{}\r\n{body}",
            shape.path,
            shape.address,
            body.len(),
            shape.headers,
        );
        let begun = Instant::now();
        wire.write(request.as_bytes()).await?;
        let Some((head, answer)) = wire.read().await? else {
            return Err(io::Error::other("the target closed the connection"));
        };
        run.latencies.push(begun.elapsed());
        let right = head.starts_with(b"HTTP/1.1 200")
            && answer.len() >= shape.answer_bytes_min
            && find(&answer, format!("\"id\":{id}").as_bytes()).is_some()
            && find(&answer[..answer.len().min(4096)], shape.answer_holds.as_bytes()).is_some();
        run.answers += u64::from(right);
        run.wrong += u64::from(!right);
        if run.wrong == 1 && !right {
            eprintln!(
                "wrong answer: {}{}",
                String::from_utf8_lossy(head),
                String::from_utf8_lossy(&answer[..answer.len().min(600)])
            );
        }
    }
    Ok(run)
}
