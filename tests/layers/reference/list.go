// Lists archives as Go's archive/tar reads them: one line an entry, and how it ended.
package main

import (
	"archive/tar"
	"bufio"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"sort"
)

func main() {
	in := bufio.NewScanner(os.Stdin)
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	for in.Scan() {
		name := in.Text()
		fmt.Fprintf(out, "== %s\n", name)
		f, err := os.Open(name)
		if err != nil {
			panic(err)
		}
		r := tar.NewReader(bufio.NewReader(f))
		for {
			h, err := r.Next()
			if err != nil {
				fmt.Fprintf(out, "%v\n", err)
				break
			}
			fmt.Fprintf(out, "%d [%x] [%x] %d %d %d [%x] [%x] %d %d.%d %d %d", h.Typeflag, h.Name, h.Linkname, h.Mode, h.Uid, h.Gid, h.Uname, h.Gname, h.Size, h.ModTime.Unix(), h.ModTime.Nanosecond(), h.Devmajor, h.Devminor)
			var keys []string
			for k := range h.PAXRecords {
				keys = append(keys, k)
			}
			sort.Strings(keys)
			for _, k := range keys {
				fmt.Fprintf(out, " [%x]=[%x]", k, h.PAXRecords[k])
			}
			if h.Typeflag == tar.TypeXGlobalHeader {
				fmt.Fprintln(out)
				continue
			}
			hash := sha256.New()
			n, err := io.Copy(hash, io.LimitReader(r, 1<<20))
			if err != nil {
				fmt.Fprintf(out, " error %v\n", err)
				break
			}
			fmt.Fprintf(out, " %d %x\n", n, hash.Sum(nil)[:4])
		}
		f.Close()
	}
}
