package verifier

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
)

// madeLog serves a log of any size, whose roots are computed as RFC 9162 defines them.
type madeLog struct {
	entries [][]byte
	hashes  []hash
	shown   int  // entries of the head that is served
	whole   bool // partial tiles of entries, and bundles, are gone
	lost    string
	fails   error // what is lost comes to: else ErrNotFound
}

func newMadeLog(size int, handOvers ...int) *madeLog {
	m := &madeLog{shown: size}
	for i := range size {
		kind := "boot"
		for _, at := range handOvers {
			if at == i {
				kind = "hand-over"
			}
		}
		m.entries = append(m.entries, fmt.Appendf(nil, `{"index":%d,"kind":"%s"}`, i, kind))
		m.hashes = append(m.hashes, leafHash(m.entries[i]))
	}
	return m
}

// rfcRoot is MTH of RFC 9162, section 2.1.1.
func rfcRoot(hashes []hash) hash {
	if len(hashes) == 1 {
		return hashes[0]
	}
	k := 1
	for 2*k < len(hashes) {
		k *= 2
	}
	return nodeHash(rfcRoot(hashes[:k]), rfcRoot(hashes[k:]))
}

func (m *madeLog) fetch(path string, limit int) ([]byte, error) {
	if m.lost != "" && strings.HasPrefix(path, m.lost) {
		if m.fails != nil {
			return nil, m.fails
		}
		return nil, ErrNotFound
	}
	if path == "checkpoint" {
		root := rfcRoot(m.hashes[:m.shown])
		return fmt.Appendf(nil, "o\n%d\n%s\n\n— o AAAAAAA=\n", m.shown, strictBase64.EncodeToString(root[:])), nil
	}
	rest, partial, isPartial := strings.Cut(strings.TrimPrefix(path, "tile/"), ".p/")
	parts := strings.Split(rest, "/")
	index, width := 0, tileWidth
	for _, part := range parts[1:] {
		n, _ := strconv.Atoi(strings.TrimPrefix(part, "x"))
		index = index*1000 + n
	}
	if isPartial {
		width, _ = strconv.Atoi(partial)
	}
	level, err := strconv.Atoi(parts[0])
	each := 1 << (8 * level)
	if (isPartial && m.whole && each == 1) || (index*tileWidth+width)*each > len(m.hashes) {
		return nil, ErrNotFound
	}
	var out []byte
	for i := index * tileWidth; i < index*tileWidth+width; i++ {
		if err != nil { // of entries
			out = append(append(out, byte(len(m.entries[i])>>8), byte(len(m.entries[i]))), m.entries[i]...)
		} else {
			h := rfcRoot(m.hashes[i*each : (i+1)*each])
			out = append(out, h[:]...)
		}
	}
	if len(out) > limit {
		return nil, errors.New("more than was asked for")
	}
	return out, nil
}

func open(t *testing.T, m *madeLog) *Log {
	t.Helper()
	l, err := OpenLog(m.fetch)
	if err != nil || l.head.size != uint64(m.shown) {
		t.Fatal(err)
	}
	return l
}

func TestConsistency(t *testing.T) {
	for _, size := range []int{1, 2, 3, 255, 256, 257, 700, 66000} {
		m := newMadeLog(size)
		l := open(t, m)
		old := map[int]bool{1: true, size: true, size / 2: true, 255: true, 256: true, 257: true, 512: true, 65536: true, size - 1: true}
		for n := 3; n < min(size, 300); n += 7 {
			old[n] = true
		}
		for n := range old {
			if n < 1 || n > size {
				continue
			}
			p, err := l.prove(uint64(n))
			if err != nil {
				t.Fatalf("%d of %d: %v", n, size, err)
			}
			oldRoot, newRoot, ok := p.roots()
			if !ok || oldRoot != rfcRoot(m.hashes[:n]) || newRoot != l.head.root {
				t.Fatalf("%d of %d", n, size)
			}
			p.path[len(p.path)-1][0] ^= 1
			if oldRoot, newRoot, ok = p.roots(); ok && oldRoot == rfcRoot(m.hashes[:n]) && newRoot == l.head.root {
				t.Fatalf("%d of %d: another hash is as good", n, size)
			}
		}
		if _, err := l.prove(uint64(size) + 1); err == nil {
			t.Fatal("a proof of what is not there")
		}
	}
}

func TestInclusion(t *testing.T) {
	m := newMadeLog(700)
	l := open(t, m)
	for _, size := range []uint64{1, 2, 255, 300, 511, 700} {
		root := rfcRoot(m.hashes[:size])
		for index := uint64(0); index < size; index += 1 + size/7 {
			p, err := l.include(index, size)
			if err != nil || !p.holds(m.entries[index], root) {
				t.Fatalf("%d of %d: %v", index, size, err)
			}
			if p.holds([]byte("another"), root) || p.holds(m.entries[index], hash{}) {
				t.Fatalf("%d of %d: something else is as good", index, size)
			}
			p.index++
			if p.holds(m.entries[index], root) {
				t.Fatalf("%d of %d: another place is as good", index, size)
			}
		}
	}
}

func TestSeekHandOver(t *testing.T) {
	for _, c := range []struct {
		what            string
		log             *madeLog
		from, certified uint64
		found           int // -1: none
		how             search
	}{
		{"in the first bundle", newMadeLog(700, 3), 0, 600, 3, searched},
		{"the last of several", newMadeLog(700, 3, 400, 650), 0, 600, 400, searched},
		{"behind the certificate's head", newMadeLog(700, 650), 0, 600, -1, searched},
		{"seen before", newMadeLog(700, 3), 10, 600, -1, searchedNewer},
		{"nothing new", newMadeLog(700, 3), 600, 600, -1, notSearched},
		{"longer than the head", newMadeLog(700, 3), 0, 701, -1, notSearched},
		{"the log keeps whole bundles", &madeLog{entries: newMadeLog(768, 3).entries, hashes: newMadeLog(768, 3).hashes, shown: 700, whole: true}, 0, 600, 3, searched},
		{"lost", &madeLog{entries: newMadeLog(700, 3).entries, hashes: newMadeLog(700, 3).hashes, shown: 700, lost: "tile/entries/000"}, 0, 600, -1, searchRefused},
		{"not answered", &madeLog{entries: newMadeLog(700, 3).entries, hashes: newMadeLog(700, 3).hashes, shown: 700, lost: "tile/entries/000", fails: errors.New("cut")}, 0, 600, -1, notAnswered},
		{"false entries", &madeLog{entries: newMadeLog(700).entries, hashes: newMadeLog(700, 3).hashes, shown: 700}, 0, 600, -1, searchRefused},
	} {
		l := open(t, c.log)
		found, how := l.seek(c.from, c.certified)
		if how != c.how || (found != nil) != (c.found >= 0) || (found != nil && found.proof.index != uint64(c.found)) {
			t.Errorf("%s: %v, %v", c.what, found, how)
		}
		if (l.NoAnswer() != nil) != (c.how == notAnswered) {
			t.Errorf("%s: %v", c.what, l.NoAnswer())
		}
		if found != nil && !found.proof.holds(found.data, rfcRoot(c.log.hashes[:c.certified])) {
			t.Errorf("%s: it is not proven", c.what)
		}
	}
}

// A server that shows something else than was asked for proves nothing.
func TestFalseTiles(t *testing.T) {
	m := newMadeLog(700)
	for _, data := range [][]byte{nil, make([]byte, 31), make([]byte, 32), make([]byte, 256*32+1)} {
		l, err := OpenLog(func(path string, limit int) ([]byte, error) {
			if path == "checkpoint" {
				return m.fetch(path, limit)
			}
			return data, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if p, err := l.prove(300); err == nil {
			t.Errorf("%d bytes: %v", len(data), p)
		}
		if entries, err := l.bundle(0); err == nil {
			t.Errorf("%d bytes: %d entries", len(data), len(entries))
		}
	}
}
