package verifier

import (
	"bytes"
	"errors"
	"fmt"
	"math/bits"
)

// ErrNotFound is what a Fetch answers where the server says that there is none of that name (404), or that it does not show it.
var ErrNotFound = errors.New("there is none")

// Fetch asks for /_enclave/log/PATH, whose answer is at most limit bytes. ErrNotFound: there is none; any other error: there
// was no whole answer, and nothing is known.
type Fetch func(path string, limit int) ([]byte, error)

// Log is an instance's log (C2SP tlog-tiles) as a server shows it: a stranger, whose answers count only as far as they make
// the root of a head that the enclave's key has signed. It belongs to one goroutine.
type Log struct {
	fetch Fetch
	text  []byte
	head  head // of the checkpoint, if it is well-formed: else 0
	tiles map[string][]hash
	err   error // the first that was no answer
}

const (
	tileWidth  = 256
	entryMax   = 4096
	tilesKept  = 64
	searchMost = 65536 // entries that are gone through for a hand-over
)

// OpenLog asks for the log's head as it is now.
func OpenLog(fetch Fetch) (*Log, error) {
	text, err := fetch("checkpoint", noteMax)
	if err != nil {
		return nil, fmt.Errorf("the log's checkpoint: %w", err)
	}
	l := &Log{fetch: fetch, text: text, tiles: map[string][]hash{}}
	if n, err := parseNote(text); err == nil {
		_, l.head, _ = n.checkpoint()
	}
	return l, nil
}

// NoAnswer is the first error for which nothing is known, if there was one: who refuses then, refuses for no fault of the
// server's that is proven.
func (l *Log) NoAnswer() error { return l.err }

// ask is fetch, which remembers that there was no answer.
func (l *Log) ask(path string, limit int) ([]byte, error) {
	data, err := l.fetch(path, limit)
	if err != nil && !errors.Is(err, ErrNotFound) && l.err == nil {
		l.err = err
	}
	return data, err
}

func logPath(prefix string, index uint64, width int) string {
	path := fmt.Sprintf("/%03d", index%1000)
	for index /= 1000; index > 0; index /= 1000 {
		path = fmt.Sprintf("/x%03d", index%1000) + path
	}
	if width < tileWidth {
		path += fmt.Sprintf(".p/%d", width)
	}
	return "tile/" + prefix + path
}

// piece asks for one as wide as it is in this tree, or whole where the log has grown since. It says which it got.
func (l *Log) piece(prefix string, index uint64, width, limit int) ([]byte, int, error) {
	data, err := l.ask(logPath(prefix, index, width), limit)
	if errors.Is(err, ErrNotFound) && width < tileWidth {
		width = tileWidth
		data, err = l.ask(logPath(prefix, index, width), limit)
	}
	return data, width, err
}

func (l *Log) tile(level int, index uint64) ([]hash, error) {
	key := fmt.Sprint(level, "/", index)
	if t := l.tiles[key]; t != nil {
		return t, nil
	}
	width := int(min(l.head.size>>(8*level)-index*tileWidth, tileWidth))
	data, got, err := l.piece(fmt.Sprint(level), index, width, tileWidth*32)
	if err != nil {
		return nil, err
	}
	if len(data) != got*32 {
		return nil, fmt.Errorf("a tile of %d bytes, expected %d", len(data), got*32)
	}
	t := make([]hash, width)
	for i := range t {
		t[i] = hash(data[32*i : 32*i+32])
	}
	if len(l.tiles) >= tilesKept {
		clear(l.tiles)
	}
	l.tiles[key] = t
	return t, nil
}

// node is the hash over the 2^level entries from index·2^level on, all of which the tree has.
func (l *Log) node(level int, index uint64) (hash, error) {
	inside := level % 8
	first := index << inside
	t, err := l.tile(level/8, first/tileWidth)
	if err != nil {
		return hash{}, err
	}
	at := int(first % tileWidth)
	if at+1<<inside > len(t) {
		return hash{}, errors.New("a tile that is too narrow")
	}
	return rootOf(t[at : at+1<<inside]), nil
}

// split is the largest power of two below count.
func split(count uint64) uint64 { return 1 << (bits.Len64(count-1) - 1) }

func (l *Log) subtree(first, end uint64) (hash, error) {
	if count := end - first; count&(count-1) == 0 {
		level := bits.TrailingZeros64(count)
		return l.node(level, first>>level)
	}
	middle := first + split(end-first)
	left, err := l.subtree(first, middle)
	if err != nil {
		return left, err
	}
	right, err := l.subtree(middle, end)
	return nodeHash(left, right), err
}

// prove leads from the first oldSize entries to the head.
func (l *Log) prove(oldSize uint64) (*consistency, error) {
	if oldSize == 0 || oldSize > l.head.size {
		return nil, errors.New("no proof leads there")
	}
	p := &consistency{oldSize: oldSize, newSize: l.head.size}
	at, last, level := oldSize-1, l.head.size-1, 0
	for ; at%2 == 1; at, last = at/2, last/2 {
		level++
	}
	h, err := l.node(level, at)
	p.path = append(p.path, h)
	for err == nil && last > 0 {
		for ; at == last && at%2 == 0; at, last = at/2, last/2 {
			level++
		}
		if at%2 == 1 {
			h, err = l.node(level, at-1)
		} else {
			h, err = l.subtree((at+1)<<level, min((at+2)<<level, l.head.size))
		}
		p.path = append(p.path, h)
		at, last = at/2, last/2
		level++
	}
	return p, err
}

// ---- entries ----------------------------------------------------------------------------------------------------

// rootWith is the root over a subtree of which the hashes of the entries from start on are known.
func (l *Log) rootWith(known []hash, start, first, end uint64) (hash, error) {
	stop := start + uint64(len(known))
	if end <= start || first >= stop {
		return l.subtree(first, end)
	}
	if first >= start && end <= stop {
		return rootOf(known[first-start : end-start]), nil
	}
	middle := first + split(end-first)
	left, err := l.rootWith(known, start, first, middle)
	if err != nil {
		return left, err
	}
	right, err := l.rootWith(known, start, middle, end)
	return nodeHash(left, right), err
}

// bundle is the 256 entries from 256·index on, as far as the tree has them, proven to stand under the head.
func (l *Log) bundle(index uint64) ([][]byte, error) {
	start := index * tileWidth
	count := int(min(l.head.size-start, tileWidth))
	data, got, err := l.piece("entries", index, count, tileWidth*(2+entryMax))
	if err != nil {
		return nil, err
	}
	var entries [][]byte
	r := &reader{left: data}
	for range got {
		size := r.take(2)
		entries = append(entries, r.take(int(size[0])<<8|int(size[1])))
		if r.failed || len(entries[len(entries)-1]) > entryMax {
			return nil, errors.New("a malformed bundle of entries")
		}
	}
	entries = entries[:count]
	hashes := make([]hash, count)
	for i := range hashes {
		hashes[i] = leafHash(entries[i])
	}
	root, err := l.rootWith(hashes, start, 0, l.head.size)
	if err == nil && (len(r.left) > 0 || root != l.head.root) {
		err = errors.New("entries that are not those of the log's root")
	}
	return entries, err
}

// handOver is an entry that says by what an image has the instance, with its proof.
type handOver struct {
	data  []byte
	proof inclusion
}

type search int

const (
	notSearched search = iota
	searched           // all that there are
	searchedNewer
	searchRefused // the server has not shown all of them, or false ones
	notAnswered
)

func isHandOver(data []byte) bool {
	j, err := parseJSON(data)
	if err != nil {
		return false
	}
	kind, _ := j.any("kind").text()
	return kind == "hand-over" || kind == "recovery"
}

// include proves an entry in the tree of the first size entries.
func (l *Log) include(index, size uint64) (inclusion, error) {
	p := inclusion{index: index, size: size}
	first, end := uint64(0), size
	for end-first > 1 {
		middle := first + split(end-first)
		var h hash
		var err error
		if index < middle {
			h, err = l.subtree(middle, end)
			end = middle
		} else {
			h, err = l.subtree(first, middle)
			first = middle
		}
		if err != nil {
			return p, err
		}
		p.path = append([]hash{h}, p.path...)
	}
	return p, nil
}

// seek looks for the last hand-over before certified, from the end; from: what the caller has seen.
func (l *Log) seek(from, certified uint64) (*handOver, search) {
	if certified == 0 || certified > l.head.size || from >= certified {
		return nil, notSearched // it has become shorter, or there is nothing new: other checks say so
	}
	least, how := from, searched
	if certified-least > searchMost {
		least = certified - searchMost
	}
	if least > 0 {
		how = searchedNewer
	}
	for end := certified; end > least; {
		first := max((end-1)/tileWidth*tileWidth, least)
		found, err := l.lastOf(first, end, certified)
		if err != nil {
			if l.err != nil {
				return nil, notAnswered
			}
			return nil, searchRefused
		}
		if found != nil {
			return found, how
		}
		end = first
	}
	return nil, how
}

func (l *Log) lastOf(first, end, certified uint64) (*handOver, error) {
	entries, err := l.bundle(first / tileWidth)
	if err != nil {
		return nil, err
	}
	for i := end; i > first; i-- {
		data := entries[(i-1)%tileWidth]
		if !isHandOver(data) {
			continue
		}
		proof, err := l.include(i-1, certified)
		return &handOver{bytes.Clone(data), proof}, err
	}
	return nil, nil
}
