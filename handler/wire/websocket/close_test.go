package websocket

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// unheard is for tunnels of which nobody asks how they end.
func unheard(Party, int) {}

// closingWith returns a Close with that content, masked with a key that is not zero where it
// is a client's.
func closingWith(content string, mask bool) []byte {
	frame := []byte{0x88, byte(len(content))}
	if !mask {
		return append(frame, content...)
	}
	frame[1] |= 0x80
	key := [4]byte{0x12, 0xfe, 0x00, 0xa5}
	frame = append(frame, key[:]...)
	for i := range len(content) {
		frame = append(frame, content[i]^key[i%4])
	}
	return frame
}

// TestCloses checks what is told of the Close of each side, in however many pieces it
// comes, and behind whatever.
func TestCloses(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		content string
		want    int
	}{
		"normal":          {"\x03\xe8", 1000},
		"and a reason":    {"\x03\xe9bye", 1001},
		"a long reason":   {"\x0f\xa0" + string(bytes.Repeat([]byte("x"), 123)), 4000},
		"without a code":  {"", NoStatus},
		"half a code":     {"\x03", CutStatus},
		"none there is":   {"\xff\xff", 65535},
		"zero":            {"\x00\x00", 0},
		"none, literally": {"\x03\xed", 1005},
		"lost, literally": {"\x03\xee", 1006},
	} {
		for _, fromClient := range []bool{true, false} {
			for _, before := range [][]byte{nil, messages(fromClient)} {
				for _, piece := range []int{1, 2, 3, 7, 1 << 20} {
					var told []string
					tunnel := New(newConn(), newConn(), func(by Party, status int) { told = append(told, fmt.Sprint(by, status)) })
					to, by := tunnel.Client(), Backend
					if fromClient {
						to, by = tunnel.Backend(), Client
					}
					all := append(bytes.Clone(before), closingWith(test.content, fromClient)...)
					all = append(all, closingWith("\x03\xea", fromClient)...) // behind it nothing counts
					for rest := all; len(rest) > 0; {
						n := min(piece, len(rest))
						to.Write(rest[:n])
						rest = rest[n:]
					}
					if diff := cmp.Diff([]string{fmt.Sprint(by, test.want)}, told); diff != "" {
						t.Errorf("%s, pieces of %d behind %d bytes (-want +got):\n%s", name, piece, len(before), diff)
					}
				}
			}
		}
	}
	t.Run("the proxy's", func(t *testing.T) {
		var told []string
		tunnel := New(newConn(), newConn(), func(by Party, status int) { told = append(told, fmt.Sprint(by, status)) })
		tunnel.GoAway()
		tunnel.GoAway()
		tunnel.Backend().Write(closingWith("\x03\xe9", true))
		if diff := cmp.Diff([]string{"proxy1001", "client1001"}, told); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
	t.Run("none by the rules", func(t *testing.T) {
		for name, text := range map[string]string{
			"masked by a backend":   string(closingWith("\x03\xe8", true)),
			"fragmented":            "\x08\x02\x03\xe8",
			"fragmented, empty":     "\x08\x00",
			"too long":              "\x88\x7e\x00\x7e" + string(bytes.Repeat([]byte("x"), 126)),
			"behind what is broken": "\x81\xff\xff\xff\xff\xff\xff\xff\xff\xff\x88\x02\x03\xe8",
			"within a message":      "\x82\x04\x88\x02\x03\xe8",
			"cut":                   "\x88\x02\x03",
		} {
			tunnel := New(newConn(), newConn(), func(by Party, status int) { t.Errorf("%s: %s closes with %d", name, by, status) })
			tunnel.Client().Write([]byte(text))
		}
	})
}

// firstClose reads frames apart from what it checks: it returns the status of the first
// Close that is whole, and false where there is none, or where frames end before.
func firstClose(text []byte, mask bool) (status int, ok bool) {
	for len(text) >= 2 {
		control, size, at := text[0]&8 != 0, uint64(text[1]&0x7f), uint64(2)
		switch size {
		case 126:
			if at += 2; uint64(len(text)) < at {
				return 0, false
			}
			size = uint64(binary.BigEndian.Uint16(text[2:]))
		case 127:
			if at += 8; uint64(len(text)) < at {
				return 0, false
			}
			size = binary.BigEndian.Uint64(text[2:])
		}
		if text[1]&0x80 != 0 {
			at += 4
		}
		if uint64(len(text)) < at || text[1]&0x80 != 0 != mask || size > 1<<63-1 || control && (size > 125 || text[0]&0x80 == 0) || uint64(len(text))-at < size {
			return 0, false
		}
		content := bytes.Clone(text[at : at+size])
		if mask {
			for i := range content {
				content[i] ^= text[at-4+uint64(i%4)]
			}
		}
		if text[0]&0xf == 8 {
			switch len(content) {
			case 0:
				return NoStatus, true
			case 1:
				return CutStatus, true
			}
			return int(content[0])<<8 | int(content[1]), true
		}
		text = text[at+size:]
	}
	return 0, false
}

// FuzzCloses reads what comes in pieces as who has it whole does.
func FuzzCloses(f *testing.F) {
	for _, mask := range []bool{false, true} {
		f.Add(append(append(frame(0x81, 130, mask), frame(0x89, 3, mask)...), closingWith("\x03\xe8bye", mask)...), []byte{1, 30, 200}, mask)
		f.Add(closingWith("", mask), []byte{1}, mask)
		f.Add([]byte("\x08\x80\x00\x00\x00\x00"), []byte{1}, mask)
		f.Add(append(closingWith("\x03", mask), closingWith("\x03\xe8", mask)...), []byte{2}, mask)
		f.Add([]byte("\x88\xfe\x00\x02\x00\x00\x00\x00\x03\xe8"), []byte{3}, mask) // a length that is longer than it has to be
		f.Add([]byte("\x88\x7f\x00\x00\x00\x00\x00\x00\x00\x02\x03\xe8"), []byte{3}, mask)
	}
	f.Fuzz(func(t *testing.T, text, sizes []byte, mask bool) {
		type close struct {
			by     Party
			status int
		}
		var got, want []close
		tunnel := New(newConn(), newConn(), func(by Party, status int) { got = append(got, close{by, status}) })
		to, by := tunnel.Client(), Backend
		if mask {
			to, by = tunnel.Backend(), Client
		}
		for i, rest := 0, text; len(rest) > 0; i++ {
			n := len(rest)
			if len(sizes) > 0 {
				n = min(n, max(1, int(sizes[i%len(sizes)])))
			}
			to.Write(rest[:n])
			rest = rest[n:]
		}
		if status, ok := firstClose(text, mask); ok {
			want = []close{{by, status}}
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%x in pieces of %d: told %v, want %v", text, sizes, got, want)
		}
	})
}
