//! `subscriptions/listen`: the stream on which a modern caller hears of changes.
//!
//! The first message says what is told. The stream ends with a result when the gateway stops, when the
//! caller may not use the preset any more, and after [`STREAM_AGE_MAX`](super::STREAM_AGE_MAX).

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use http::StatusCode;
use tokio::sync::mpsc;

use crate::{
    mcp::{
        Message, Params, Raw,
        listen::{self, Filter},
        response, sse,
    },
    proxy::{
        Guest, Proxy, ProxyAnswer, body,
        events::PIECES_MAX,
        feed::{Changed, Feed, Wish},
        leave::Leave,
        requests::invalid,
        sessions::Holder,
    },
};

/// How many such streams one person may have, or all anonymous callers of one preset together.
pub const LISTENS_PER_HOLDER_MAX: usize = 2048;

/// How many streams there are.
#[derive(Default)]
pub(super) struct Listens(Arc<Mutex<HashMap<Holder, usize>>>);

/// One stream's place; dropping it gives the place up.
struct Place {
    listens: Arc<Mutex<HashMap<Holder, usize>>>,
    holder: Holder,
}

impl Listens {
    fn enter(&self, holder: Holder) -> Option<Place> {
        let mut listens = lock(&self.0);
        let count = listens.entry(holder).or_default();
        if *count >= LISTENS_PER_HOLDER_MAX {
            return None;
        }
        *count += 1;
        Some(Place { listens: Arc::clone(&self.0), holder })
    }

    /// Returns how many there are.
    pub(super) fn count(&self) -> usize {
        lock(&self.0).values().sum()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut listens = lock(&self.listens);
        if let Some(count) = listens.get_mut(&self.holder) {
            *count -= 1;
            if *count == 0 {
                listens.remove(&self.holder);
            }
        }
    }
}

fn lock(listens: &Mutex<HashMap<Holder, usize>>) -> MutexGuard<'_, HashMap<Holder, usize>> {
    listens.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Proxy {
    /// Opens the stream of a listen request.
    pub(super) async fn listen(&self, guest: &Guest<'_>, message: &Message<'_>, id: Raw<'_>) -> ProxyAnswer {
        let Some(wanted) = message.params.as_ref().and_then(Params::notifications) else {
            return invalid(id, "`params.notifications` does not say what to listen to");
        };
        let wanted = match Filter::read(wanted) {
            Ok(wanted) => wanted,
            Err(error) => return invalid(id, error.to_string()),
        };
        if !guest.accepts.sse {
            let text = "what is listened to comes as `text/event-stream`";
            return body::error(StatusCode::NOT_ACCEPTABLE, Some(id), text);
        }
        let holder = Holder::of(guest.permit.caller(), guest.permit.preset());
        let Some(place) = self.0.listens.enter(holder) else {
            let text = "too many streams are open; close one first";
            return body::error(StatusCode::TOO_MANY_REQUESTS, Some(id), text);
        };
        let (honoured, wish) = self.honoured(guest, wanted);
        let mut feed = Feed::open(self, &guest.table, wish);
        // Whoever is told that it listens misses nothing from there on.
        feed.opened().await;
        let (sender, receiver) = mpsc::channel(PIECES_MAX);
        // The channel is new and has room.
        let _ = sender.try_send(sse::encode(&listen::acknowledged(id, &honoured)));
        let stream = Listening {
            proxy: self.clone(),
            id: id.get().into(),
            leave: Leave::new(guest.request.headers, &guest.permit, &guest.table),
            feed,
            sender,
            _place: place,
        };
        tokio::spawn(stream.run());
        body::stream(receiver)
    }

    /// Returns the part of a wish that is fulfilled.
    fn honoured(&self, guest: &Guest<'_>, wanted: Filter) -> (Filter, Wish) {
        let mut honoured = wanted.honoured_by(guest.table.capabilities());
        honoured.uris.retain(|uri| guest.table.resource(uri).is_some());
        let named = honoured.task_ids.iter().map(|name| (name, self.open_task(guest, name)));
        let tasks: Vec<_> =
            named.filter_map(|(name, task)| task.map(|(source, own)| (name.clone(), source, own))).collect();
        honoured.task_ids = tasks.iter().map(|(name, ..)| name.clone()).collect();
        let lists = [
            (honoured.tools, Changed::Tools),
            (honoured.prompts, Changed::Prompts),
            (honoured.resources, Changed::Resources),
        ];
        let lists = lists.into_iter().filter_map(|(is_told, list)| is_told.then_some(list)).collect();
        let wish = Wish { lists, uris: honoured.uris.clone(), tasks, pages: Vec::new() };
        (honoured, wish)
    }
}

/// One open stream.
struct Listening {
    proxy: Proxy,
    /// The request's id as JSON, which every message names.
    id: Box<str>,
    leave: Leave,
    feed: Feed,
    sender: mpsc::Sender<Bytes>,
    _place: Place,
}

impl Listening {
    async fn run(mut self) {
        let id = Raw::checked(&self.id);
        let patience = self.proxy.0.patience;
        let withdrawn = self.leave.withdrawn(&self.proxy);
        let over = tokio::time::sleep(patience.stream);
        tokio::pin!(withdrawn, over);
        loop {
            let piece = tokio::select! {
                () = self.sender.closed() => return,
                () = self.proxy.0.drained.cancelled() => break,
                () = &mut withdrawn => break,
                () = &mut over => break,
                news = tokio::time::timeout(patience.silence, self.feed.next()) => match news {
                    Ok(news) => {
                        let params = Raw::checked(std::str::from_utf8(&news.params).unwrap_or("{}"));
                        sse::encode(&listen::tagged(id, news.method, params))
                    }
                    Err(_) => Bytes::from_static(sse::KEEP_ALIVE),
                },
            };
            if self.sender.send(piece).await.is_err() {
                return;
            }
        }
        let end = response(id, &listen::end_result(id));
        // Whoever does not listen any more need not hear it.
        let _ = self.sender.try_send(sse::encode(&end));
    }
}
