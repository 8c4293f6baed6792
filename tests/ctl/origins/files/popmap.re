# The first expression that matches counts.
^[a-c]: imap-a.example.net
^[D-F] imap-b.example.net:1143
^(ops|root)$: imap-a.example.net:imaps
(.*)@example\\.org$: $1_org@imap-c.example.net
^([^@]+)@(.*)$: $1+$2@imap-c.example.net
"^with space": imap-a.example.net   # in quotes
^long\
er$: imap-b.example.net
flim: imap-b.example.net
^x[[:digit:]]: imap-a.example.net
^(y.)$: imap-$1.example.net
^z{2}: imap-a.example.net
^zz$:imap-b.example.net
