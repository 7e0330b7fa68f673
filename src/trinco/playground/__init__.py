"""A made-up internet on loopback, for trying Trinco without a domain of one's own. Nothing imports it but `cli`.

    world        customers' zones as records in memory, and what a name server finds in them
    cast         the customers: who they are, how their DNS and their mail servers stand
    store        the zones in a file
    answers      an authoritative server's answer, pure
    resolver     a resolver's answer: the same zones, and Trinco's own zone by asking Trinco
    nameserver   both over UDP and TCP
    control      a small HTTP interface that publishes and removes records
    authority    the root and the certificates of the mail servers
    mailserver   mail servers that behave well or badly at STARTTLS
    senders      the organisations that send TLS reports; with _keys (their signatures), _story (what they saw), _mail
                 (how they write), _road (how a report travels) and _post (when)

`python -m trinco.playground` runs all of it in one process, as a child of `trinco serve --playground`.
"""
