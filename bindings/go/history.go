package verifier

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"
)

// The instance's log: its key and head in the certificate, the head that the server shows, and whether what the caller has
// seen before still stands in it.

type history struct {
	key   *noteKey // nil: not known
	wrong bool     // what the certificate says is not what is expected: nothing builds on it
	note  *note
	head  *head // of the checkpoint, once it is signed by the key
}

func (v *verification) checkHistory() {
	h := &history{}
	v.checkLogKey(h)
	v.checkLogHead(h)
	v.checkCheckpoint(h)
	v.checkRemembered(h)
	v.checkWitnesses(h)
}

func (v *verification) checkLogKey(h *history) {
	t, expected := v.lookTwice(oidLogKey, "log-key", 32), v.policy.log.key
	if t.value != nil && v.Instance != nil {
		h.key, _ = newNoteKey(logOrigin+hex.EncodeToString(v.Instance), noteEd25519, t.value)
	}
	h.wrong = t.differs || (expected != nil && (h.key == nil || !h.key.equal(expected)))
	switch {
	case t.differs:
		v.fail("log key", "the certificate has another one than the manifest")
	case expected == nil && h.key != nil:
		v.skip("log key", "%v (not known to the caller)", h.key)
	case expected == nil:
		v.skip("log key", "the certificate does not name one (and none is known to the caller)")
	case h.key == nil:
		v.fail("log key", "the certificate does not name one, expected %v", expected)
	case h.wrong:
		v.fail("log key", "%v, expected %v", h.key, expected)
	default:
		v.pass("log key", "%v", h.key)
	}
}

func (v *verification) checkLogHead(h *history) {
	data := v.read(oidLogHead, 40)
	if data == nil {
		outcome := NotChecked
		if h.wrong = h.wrong || v.policy.NeedsLog(); h.wrong {
			outcome = Failed
		}
		v.set("log head", 0, outcome, "the certificate does not carry one")
		return
	}
	size := bigEndian(data)
	switch {
	case size == 0 || size > 1<<63-1:
		h.wrong = true
		v.fail("log head", "%d entries are no log's", size)
	case !v.bound():
		v.skip("log head", "%d entries, root %x; extensions: %s", size, data[8:], unbound)
	default:
		v.LogSize, v.LogRoot = size, data[8:]
		v.pass("log head", "%d entries, root %x", size, data[8:])
	}
}

// judgeHead is "" if the checkpoint's tree begins with this one.
func (v *verification) judgeHead(h *history, seen head) string {
	if seen.size > h.head.size {
		return "it has become shorter"
	}
	if seen.size == h.head.size {
		if seen.root != h.head.root {
			return "its entries are other ones"
		}
		return ""
	}
	proof, err := v.evidence.Log.prove(seen.size)
	if err != nil {
		return "it does not prove that it begins with what was seen"
	}
	oldRoot, newRoot, ok := proof.roots()
	if !ok || newRoot != h.head.root {
		return "the hashes that it shows do not make its root"
	}
	if oldRoot != seen.root {
		return "its first entries are other ones"
	}
	return ""
}

func (v *verification) readCheckpoint(h *history) (head, string) {
	n, err := parseNote(v.evidence.Log.text)
	if err != nil {
		return head{}, "it is malformed"
	}
	origin, shown, err := n.checkpoint()
	if err != nil {
		return head{}, "it is malformed"
	}
	if origin != h.key.name {
		return head{}, "it is another log's"
	}
	h.note = n
	if _, err := n.verify(h.key); errors.Is(err, errUnsigned) {
		return head{}, "it is not signed by the certificate's key"
	} else if err != nil {
		return head{}, "its signature does not hold"
	}
	return shown, ""
}

func (v *verification) checkCheckpoint(h *history) {
	if h.wrong {
		return
	}
	if v.evidence.Log == nil {
		if v.policy.NeedsLog() {
			v.fail("log checkpoint", "none was shown, and the caller's expectations need it")
		} else {
			v.skip("log checkpoint", "none was asked for")
		}
		return
	}
	if h.key == nil || v.LogSize == 0 {
		v.skip("log checkpoint", "the certificate, as far as it is bound, does not name key and head")
		return
	}
	shown, wrong := v.readCheckpoint(h)
	if wrong != "" {
		v.fail("log checkpoint", "%s", wrong)
		return
	}
	h.head = &shown
	v.CheckpointSize, v.CheckpointRoot = shown.size, shown.root[:]
	certified := head{v.LogSize, hash(v.LogRoot)}
	if wrong := v.judgeHead(h, certified); wrong != "" {
		v.fail("log checkpoint", "%v; the certificate has %v: %s", shown, certified, wrong)
	} else {
		v.pass("log checkpoint", "%v", shown)
	}
}

func (v *verification) checkRemembered(h *history) {
	seen := v.policy.log.head
	if seen == nil {
		v.skip("log history", "the caller has not seen it before")
	} else if h.head == nil {
		return
	} else if wrong := v.judgeHead(h, *seen); wrong != "" {
		v.fail("log history", "seen before: %v; shown now: %v: %s", seen, h.head, wrong)
	} else {
		v.pass("log history", "the %d entries that were seen before, and %d since", seen.size, h.head.size-seen.size)
	}
}

// judgeWitness says what came of a witness, and whether it counts.
func (v *verification) judgeWitness(h *history, k *noteKey) (string, bool) {
	seconds, err := h.note.verify(k)
	if errors.Is(err, errUnsigned) {
		return fmt.Sprintf("%.40s: no cosignature", k.name), false
	} else if err != nil {
		return fmt.Sprintf("%.40s: a false cosignature", k.name), false
	}
	age, most := v.now.Unix()-int64(seconds), int64(v.policy.log.maxAge/time.Second)
	return fmt.Sprintf("%.40s: %d s ago", k.name, age), most == 0 || (age <= most && age >= -most)
}

func (v *verification) checkWitnesses(h *history) {
	l := &v.policy.log
	if len(l.witnesses) == 0 {
		v.skip("log witnesses", "the caller names none")
		return
	}
	if h.head == nil {
		return
	}
	needed, list, outcome := l.quorum, []string{}, Failed
	if needed == 0 {
		needed = len(l.witnesses)
	}
	for _, k := range l.witnesses {
		text, counts := v.judgeWitness(h, k)
		list = append(list, text)
		if counts {
			v.Cosigned++
		}
	}
	if v.Cosigned >= needed {
		outcome = Passed
	}
	v.set("log witnesses", 0, outcome, "%d of %d, %d are needed (%s)", v.Cosigned, len(l.witnesses), needed, strings.Join(list, ", "))
}

// ---- by what it has the instance --------------------------------------------------------------------------------

// seen is how much of the log the caller knows: all of it is gone through where other images have had the instance.
func (v *verification) seekHandOver(lineage bool) (*handOver, search) {
	seen, certified := uint64(0), uint64(0)
	if v.policy.log.head != nil {
		seen = v.policy.log.head.size
	}
	if data := v.read(oidLogHead, 40); data != nil {
		certified = bigEndian(data)
	}
	switch {
	case v.evidence.Log == nil || v.evidence.Log.head.size == 0:
		return nil, notSearched
	case lineage:
		return v.evidence.Log.seek(0, certified)
	case seen > 0:
		return v.evidence.Log.seek(seen, certified)
	}
	return nil, notSearched
}

func (v *verification) checkHandOver() {
	const check = "hand-over"
	list, ok := v.leaf.lineage()
	lineage := ok && len(list) > 0
	found, how := v.seekHandOver(lineage)
	switch {
	case how == notSearched && lineage:
		v.skip(check, "the history was not asked for it")
	case how == notSearched:
		v.skip(check, "no other image has had it before")
	case !v.passed("log checkpoint") || v.failed("log history"):
		return // not reached
	case found != nil:
		v.checkEntry(found)
	case how == notAnswered:
		v.skip(check, "the server did not show all entries of its history: it may have lost some")
	case how == searchRefused:
		v.fail(check, "the server does not show all entries of its history, or shows false ones")
	case lineage && how == searched:
		v.fail(check, "%d images have had it before, and no entry of the history says how", len(list)/32)
	case lineage:
		v.skip(check, "it was longer ago than %d entries", searchMost)
	default:
		v.skip(check, "there was none since the caller has seen it")
	}
}

func (v *verification) checkEntry(found *handOver) {
	const check = "hand-over"
	if v.LogSize == 0 || found.proof.size != v.LogSize || !found.proof.holds(found.data, hash(v.LogRoot)) {
		v.fail(check, "the entry that was shown is not proven to stand under the certificate's head")
		return
	}
	j, err := parseJSON(found.data)
	if err != nil {
		v.fail(check, "entry %d is malformed", found.proof.index)
		return
	}
	kind, _ := j.any("kind").text()
	measurement, ok := j.any("measurement").bytes(32)
	switch {
	case !ok:
		v.fail(check, "entry %d is none of a hand-over", found.proof.index)
	case !bytes.Equal(measurement, v.MRENCLAVE):
		v.fail(check, "%s: entry %d: to %x, which is not this image", kind, found.proof.index, measurement)
	default:
		v.pass(check, "%s: entry %d: to %x", kind, found.proof.index, measurement)
	}
}
