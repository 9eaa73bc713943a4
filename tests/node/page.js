'use strict';
// What a page does with a stream, in the interfaces that browsers have (HTML Living Standard, sections 9.2 and 9.3).
// usage: node page.js events URL            prints what an EventSource is told, until it is ended
//        node page.js socket URL MESSAGE... sends each as a message of a WebSocket; prints what comes, and its end

const { EventSource, WebSocket } = require('undici');

const [kind, url, ...messages] = process.argv.slice(2);

if (kind === 'events') {
  const source = new EventSource(url);
  source.onopen = () => console.log('open');
  source.onmessage = (event) => console.log('message', event.data);
  // told by the server with data, by the interface itself without: then it connects again
  source.addEventListener('error', (event) => console.log('error', event.data ?? 'lost'));
} else {
  const socket = new WebSocket(url);
  socket.onopen = () => messages.forEach((message) => socket.send(message));
  socket.onmessage = (event) => console.log('message', event.data);
  socket.onclose = (event) => console.log('closed', event.code, event.reason);
}
