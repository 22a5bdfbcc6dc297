package verifier

import "crypto/sha256"

// Merkle trees: RFC 9162, section 2.1, with SHA-256.

type hash = [32]byte

func leafHash(leaf []byte) hash {
	return sha256.Sum256(append([]byte{0}, leaf...))
}

func nodeHash(left, right hash) hash {
	input := append([]byte{1}, left[:]...)
	return sha256.Sum256(append(input, right[:]...))
}

// rootOf is the root over leaves' hashes, at least one. Level by level from the leaves up, the last of an odd number as it
// is: the same tree as RFC 9162's, which splits at the largest power of two.
func rootOf(hashes []hash) hash {
	level := append([]hash(nil), hashes...)
	for len(level) > 1 {
		above := level[:0]
		for i := 0; i < len(level); i += 2 {
			if i+1 < len(level) {
				above = append(above, nodeHash(level[i], level[i+1]))
			} else {
				above = append(above, level[i])
			}
		}
		level = above
	}
	return level[0]
}

// inclusion is a proof by RFC 9162, section 2.1.3.
type inclusion struct {
	index, size uint64
	path        []hash
}

func (p *inclusion) holds(leaf []byte, root hash) bool {
	if p.index >= p.size || len(p.path) > 64 {
		return false
	}
	at, last, h := p.index, p.size-1, leafHash(leaf)
	for _, sibling := range p.path {
		if last == 0 {
			return false // a path longer than the tree is high
		}
		if at%2 == 1 || at == last {
			h = nodeHash(sibling, h)
			for at%2 == 0 && at != 0 { // a right edge that has no sibling on these levels
				at, last = at/2, last/2
			}
		} else {
			h = nodeHash(h, sibling)
		}
		at, last = at/2, last/2
	}
	return last == 0 && h == root
}

// consistency is a proof by RFC 9162, section 2.1.4, whose path always begins with the old tree's largest subtree at its
// end.
type consistency struct {
	oldSize, newSize uint64
	path             []hash
}

func (p *consistency) roots() (oldRoot, newRoot hash, ok bool) {
	if p.oldSize == 0 || p.newSize < p.oldSize || p.newSize > 1<<63-1 || len(p.path) == 0 || len(p.path) > 128 {
		return
	}
	at, last := p.oldSize-1, p.newSize-1
	for at%2 == 1 {
		at, last = at/2, last/2
	}
	oldRoot, newRoot = p.path[0], p.path[0]
	for _, h := range p.path[1:] {
		if last == 0 {
			return oldRoot, newRoot, false
		}
		if at%2 == 1 || at == last {
			oldRoot, newRoot = nodeHash(h, oldRoot), nodeHash(h, newRoot)
			for at%2 == 0 && at != 0 { // no sibling on these levels
				at, last = at/2, last/2
			}
		} else {
			newRoot = nodeHash(newRoot, h)
		}
		at, last = at/2, last/2
	}
	return oldRoot, newRoot, last == 0
}
