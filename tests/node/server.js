'use strict';

// The library over gRPC, made with Node.js: `node server.js [PORT]`; without PORT a free one is taken.

const path = require('node:path');
const grpc = require('@grpc/grpc-js');
const protoLoader = require('@grpc/proto-loader');
const { ReflectionService } = require('@grpc/reflection');

const definition = protoLoader.loadSync(path.join(__dirname, 'library.proto'), {
  keepCase: true,
  longs: String,
  enums: String,
});
const { Library } = grpc.loadPackageDefinition(definition).library.v1;

const books = new Map();

function add(book) {
  books.set(book.id, book);
  return book;
}

add({
  id: 'b-1',
  title: 'The Origin',
  genre: 'SCIENCE',
  authors: [{ name: 'Ada', pen_names: ['A.', 'Lovelace'] }],
  edition: { number: 2, published_at: { seconds: '1700000000', nanos: 500000000 } },
  isbn: '9007199254740993',
  copies_sold: '18446744073709551615',
  stock_by_branch: { north: 3, south: 0 },
  translators: { de: { name: 'Béla' } },
  cover: Buffer.from([0, 255, 16]),
  rating: 4.5,
  subtitle: '',
  shelf_number: 0,
});
add({ id: 'b-2', title: 'Short', genre: 'FICTION', shelf_name: 'east' });

function metadata(entries) {
  const result = new grpc.Metadata();
  for (const [key, value] of Object.entries(entries)) result.set(key, value);
  return result;
}

// A length-delimited field, short enough for a length of one byte.
function field(number, value) {
  const bytes = Buffer.from(value);
  return Buffer.concat([Buffer.from([(number << 3) | 2, bytes.length]), bytes]);
}

// google.rpc.Status{code, message, details: [google.rpc.ErrorInfo{reason, domain}]}
function status(code, message, reason) {
  const info = Buffer.concat([field(1, reason), field(2, 'library')]);
  const any = Buffer.concat([field(1, 'type.googleapis.com/google.rpc.ErrorInfo'), field(2, info)]);
  return Buffer.concat([Buffer.from([8, code]), field(2, message), field(3, any)]);
}

function failure(code, message, reason) {
  const trailers = metadata({ 'grpc-status-details-bin': status(code, message, reason) });
  return { code, details: message, metadata: trailers };
}

function getBook(call, done) {
  const book = books.get(call.request.id);
  if (book) done(null, book, metadata({ 'x-served-by': 'node' }));
  else done({ code: grpc.status.NOT_FOUND, details: `no book ${call.request.id}` });
}

function createBook(call, done) {
  const { book, validate_only: validateOnly } = call.request;
  if (!book || !book.title) done(failure(grpc.status.INVALID_ARGUMENT, 'a book needs a title', 'NO_TITLE'));
  else done(null, validateOnly ? book : add({ ...book, id: `b-${books.size + 1}` }));
}

function deleteBook(call, done) {
  done(failure(grpc.status.FAILED_PRECONDITION, 'the book is on loan', 'ON_LOAN'));
}

function listBooks(call) {
  const { genre, page_size: size } = call.request;
  const found = [...books.values()].filter((book) => genre === 'GENRE_UNSPECIFIED' || book.genre === genre);
  for (const book of found.slice(0, size || found.length)) call.write(book);
  call.end();
}

const server = new grpc.Server();
server.addService(Library.service, {
  GetBook: getBook,
  CreateBook: createBook,
  DeleteBook: deleteBook,
  ListBooks: listBooks,
});
new ReflectionService(definition).addToServer(server);

const address = `127.0.0.1:${process.argv[2] ?? 0}`;
server.bindAsync(address, grpc.ServerCredentials.createInsecure(), (error, port) => {
  if (error) throw error;
  console.log(`listening ${port}`);
});
