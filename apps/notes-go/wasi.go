package main

// The part of wasi:http and wasi:keyvalue that the notes use, as the canonical ABI has it: each import is one core
// function, what does not fit one value is written to memory. No toolchain makes these for GOOS=wasip1.
//
// Results are written to variables of the package: a stack may move while the host calls cabi_import_realloc.

import (
	"errors"
	"io"
	"runtime/debug"
	"structs"
	"unsafe"
)

// A list<u8> or string that the host has made with cabi_import_realloc.
type hostBytes struct {
	_    structs.HostLayout
	data uint32
	size uint32
}

// What it holds; the next call of the host may write over it.
func (b hostBytes) bytes() []byte {
	arenaUsed = 0
	return unsafe.Slice((*byte)(unsafe.Pointer(uintptr(b.data))), b.size)
}

// result<own<T>, _>, also with an error of up to 12 bytes.
var handleResult struct {
	_      structs.HostLayout
	failed bool
	handle uint32
	rest   [2]uint32
}

// option<string>
var textResult struct {
	_    structs.HostLayout
	some bool
	text hostBytes
}

// variant method: which, and the text of "other"
var methodResult struct {
	_     structs.HostLayout
	which uint8
	other hostBytes
}

// result<list<u8>, stream-error> and result<_, stream-error>; an error's case overlaps the list's address.
var streamResult struct {
	_      structs.HostLayout
	failed bool
	bytes  hostBytes
}

// result<u64, keyvalue error>
var countResult struct {
	_      structs.HostLayout
	failed bool
	value  uint64
	rest   [2]uint32
}

// result<_, error-code>, result<_, header-error>: nothing is asked of them
var ignored [64]byte

const streamClosed = 1

// Where the host puts what it returns. While it asks for that place, nothing may be called outside, yet a collector at
// work asks for the time: so the place is taken from here, and nothing is collected. An instance serves one request and
// takes its memory with it.
var (
	arena     [2 << 16]byte // a read is of 64 KiB at most
	arenaUsed uint32
)

func init() { debug.SetGCPercent(-1) }

//go:wasmexport cabi_import_realloc
func realloc(old unsafe.Pointer, oldSize, align, size uint32) unsafe.Pointer {
	place := arena[arenaUsed : arenaUsed+size] // for bytes only, whose alignment is 1
	arenaUsed += size
	copy(place, unsafe.Slice((*byte)(old), oldSize))
	return unsafe.Pointer(unsafe.SliceData(place))
}

//go:wasmimport wasi:http/types@0.2.12 [method]incoming-request.method
func requestMethod(request uint32, result unsafe.Pointer)

//go:wasmimport wasi:http/types@0.2.12 [method]incoming-request.path-with-query
func requestPath(request uint32, result unsafe.Pointer)

//go:wasmimport wasi:http/types@0.2.12 [method]incoming-request.consume
func requestConsume(request uint32, result unsafe.Pointer)

//go:wasmimport wasi:http/types@0.2.12 [method]incoming-body.stream
func incomingBodyStream(body uint32, result unsafe.Pointer)

//go:wasmimport wasi:http/types@0.2.12 [constructor]fields
func fieldsNew() uint32

//go:wasmimport wasi:http/types@0.2.12 [method]fields.append
func fieldsAppend(fields uint32, name, value string, result unsafe.Pointer)

//go:wasmimport wasi:http/types@0.2.12 [constructor]outgoing-response
func responseNew(fields uint32) uint32

//go:wasmimport wasi:http/types@0.2.12 [method]outgoing-response.set-status-code
func responseSetStatus(response, status uint32) uint32

//go:wasmimport wasi:http/types@0.2.12 [method]outgoing-response.body
func responseBody(response uint32, result unsafe.Pointer)

// The parts of the error are flattened behind the tag.
//
//go:wasmimport wasi:http/types@0.2.12 [static]response-outparam.set
func outparamSet(outparam, isError, response, e1 uint32, e2 uint64, e3, e4, e5, e6 uint32)

//go:wasmimport wasi:http/types@0.2.12 [method]outgoing-body.write
func outgoingBodyWrite(body uint32, result unsafe.Pointer)

//go:wasmimport wasi:http/types@0.2.12 [static]outgoing-body.finish
func outgoingBodyFinish(body, hasTrailers, trailers uint32, result unsafe.Pointer)

//go:wasmimport wasi:io/streams@0.2.12 [method]input-stream.blocking-read
func streamRead(stream uint32, size uint64, result unsafe.Pointer)

//go:wasmimport wasi:io/streams@0.2.12 [method]output-stream.blocking-write-and-flush
func streamWrite(stream uint32, data unsafe.Pointer, size uint32, result unsafe.Pointer)

//go:wasmimport wasi:io/streams@0.2.12 [resource-drop]output-stream
func outputStreamDrop(stream uint32)

//go:wasmimport wasi:keyvalue/store@0.2.0-draft open
func storeOpen(name string, result unsafe.Pointer)

//go:wasmimport wasi:keyvalue/atomics@0.2.0-draft increment
func storeIncrement(bucket uint32, key string, delta uint64, result unsafe.Pointer)

func handleOf(call func(result unsafe.Pointer)) uint32 {
	call(unsafe.Pointer(&handleResult))
	if handleResult.failed {
		panic("the host gave no handle")
	}
	return handleResult.handle
}

var methods = [...]string{"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"}

func method(request uint32) string {
	requestMethod(request, unsafe.Pointer(&methodResult))
	if int(methodResult.which) < len(methods) {
		return methods[methodResult.which]
	}
	return string(methodResult.other.bytes())
}

func path(request uint32) string {
	requestPath(request, unsafe.Pointer(&textResult))
	if !textResult.some {
		return "/"
	}
	return string(textResult.text.bytes())
}

// A request's body.
type reader struct {
	stream uint32
	buffer [65536]byte
	rest   []byte // of buffer
}

func newReader(request uint32) *reader {
	body := handleOf(func(result unsafe.Pointer) { requestConsume(request, result) })
	return &reader{stream: handleOf(func(result unsafe.Pointer) { incomingBodyStream(body, result) })}
}

func (r *reader) Read(into []byte) (int, error) {
	if len(r.rest) == 0 {
		streamRead(r.stream, uint64(len(r.buffer)), unsafe.Pointer(&streamResult))
		if streamResult.failed {
			if uint8(streamResult.bytes.data) == streamClosed {
				return 0, io.EOF
			}
			return 0, errors.New("reading the request failed")
		}
		r.rest = r.buffer[:copy(r.buffer[:], streamResult.bytes.bytes())]
	}
	size := copy(into, r.rest)
	r.rest = r.rest[size:]
	return size, nil
}

// A response's body.
type writer struct {
	body, stream uint32
}

func respond(outparam uint32, status int) *writer {
	fields := fieldsNew()
	fieldsAppend(fields, "content-type", "text/plain; charset=utf-8", unsafe.Pointer(&ignored))
	response := responseNew(fields)
	responseSetStatus(response, uint32(status))
	body := handleOf(func(result unsafe.Pointer) { responseBody(response, result) })
	outparamSet(outparam, 0, response, 0, 0, 0, 0, 0, 0)
	return &writer{body, handleOf(func(result unsafe.Pointer) { outgoingBodyWrite(body, result) })}
}

func (w *writer) Write(from []byte) (int, error) {
	for at := 0; at < len(from); at += 4096 { // what one blocking write takes
		piece := from[at:min(at+4096, len(from))]
		streamWrite(w.stream, unsafe.Pointer(&piece[0]), uint32(len(piece)), unsafe.Pointer(&streamResult))
		if streamResult.failed {
			return at, errors.New("writing the response failed")
		}
	}
	return len(from), nil
}

func (w *writer) Close() {
	outputStreamDrop(w.stream)
	outgoingBodyFinish(w.body, 0, 0, unsafe.Pointer(&ignored))
}

// One more in wasi:keyvalue.
func increment(key string) (uint64, error) {
	bucket := handleOf(func(result unsafe.Pointer) { storeOpen("default", result) })
	storeIncrement(bucket, key, 1, unsafe.Pointer(&countResult))
	if countResult.failed {
		return 0, errors.New("the store failed")
	}
	return countResult.value, nil
}
