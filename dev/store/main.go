// A MongoDB-compatible store for development and tests: FerretDB with its SQLite backend, through its public package.
package main

import (
	"context"
	"database/sql"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/FerretDB/FerretDB/ferretdb"
	_ "modernc.org/sqlite"
)

// FerretDB 1.24 finds a document by _id->'$._id' but indexes it as _id->"_id": each find would read the whole collection. An index over the
// expression that its queries use makes them fast; nothing else changes, and the unique one stays FerretDB's own.
const (
	document  = "_ferretdb_sjson"
	unindexed = `SELECT name FROM sqlite_master t WHERE type = 'table' AND name NOT LIKE '\_ferretdb\_%' ESCAPE '\' AND name NOT LIKE 'sqlite\_%' ESCAPE '\'
		AND NOT EXISTS (SELECT 1 FROM sqlite_master i WHERE i.type = 'index' AND i.name = 'by_id_' || t.name)`
	every = 500 * time.Millisecond
)

func indexFile(path string) error {
	db, err := sql.Open("sqlite", "file:"+path+"?mode=rw&_pragma=busy_timeout(10000)")
	if err != nil {
		return err
	}
	defer db.Close()
	rows, err := db.Query(unindexed)
	if err != nil {
		return err
	}
	defer rows.Close()
	var tables []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return err
		}
		tables = append(tables, name)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	for _, name := range tables {
		if _, err := db.Exec(fmt.Sprintf(`CREATE INDEX IF NOT EXISTS "by_id_%[1]s" ON %[1]q (%[2]s->'$._id')`, name, document)); err != nil {
			return err
		}
	}
	return nil
}

// Looks for new collections until ctx ends.
func keepIndexed(ctx context.Context, dir string) {
	for tick := time.NewTicker(every); ; {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		files, _ := filepath.Glob(filepath.Join(dir, "*.sqlite"))
		for _, f := range files {
			if err := indexFile(f); err != nil && ctx.Err() == nil {
				log.Printf("index %s: %v", f, err)
			}
		}
	}
}

func run() error {
	addr := flag.String("listen-addr", "", "HOST:PORT to listen on")
	dir := flag.String("dir", "", "existing directory of the data")
	flag.Parse()

	f, err := ferretdb.New(&ferretdb.Config{
		Handler:   "sqlite",
		SQLiteURL: "file:" + *dir + "/",
		Listener:  ferretdb.ListenerConfig{TCP: *addr},
	})
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	go keepIndexed(ctx, *dir)
	if err := f.Run(ctx); err != nil && ctx.Err() == nil {
		return err
	}
	return nil
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "store:", err)
		os.Exit(1)
	}
}
