"""Password fields as Dovecot 2.3 makes them (``doveadm pw -s SCHEME -p PASSWORD``).

The yescrypt and `$2b$` ones are made by libxcrypt and verified by Dovecot.
"""

ASCII = "correct horse"
NON_ASCII = "pässwörd €"

OF_ASCII = (
    "{PLAIN}correct horse",
    "{CLEAR}correct horse",
    "{CLEARTEXT}correct horse",
    "{PLAIN.B64}Y29ycmVjdCBob3JzZQ==",
    "{PLAIN.HEX}636f727265637420686f727365",
    "{CRYPT}$2y$05$i4m7wQ4EaeCIorIG40N1Su5cyxo1i8ByF8Oq1sCuLbQYz2KvHsF22",
    "{DES-CRYPT}0v5JfvB3EUldc",
    "{MD5}$1$Om6aVEkO$9yw5OMtTswkI.UbECPRAw.",
    "{MD5-CRYPT}$1$tKv7KPPX$ZErS2Ri1UiLB20KMOmgB9.",
    "{SHA256-CRYPT}$5$gLbapMAHzWImqoc9$v98omiAxfKgMuZorwMWxEPRh8blcv3tusqHYLx/gBA4",
    (
        "{SHA512-CRYPT}$6$YBqpVW9y2bLZZYQs$FqoCPG41L5HfFnu./ii7WFhFpQcoE5MXfRcwsH3h7UwaMe/ry7"
        "BKXmYE2b2cZsUwMBXk6K1vjs7PQxJ/TotAG/"
    ),
    (
        "{SHA512-CRYPT.B64}JDYkVW0yTzZucGRCRmFFWi9wcCR6Z2prSEZkb2R5OTFYbTZ2VXJ5akpZZHF2enZSUl"
        "VVbzB4bjRZclV6WW5oQzdWcHJKZU9Kb1F1WGsyL1JwT3RWUlIvNVouSWN5TERiSjNSNjZVSGVjMQ=="
    ),
    "{BLF-CRYPT}$2y$05$bxCqtknxovuGVZH3sMU5JOQ9rFMsoKmo5wcpyHx4LFfs0cdaEGhmO",
    (
        "{BLF-CRYPT.HEX}2432792430352464476d74464d5565464a49667366576445775962652e71627276566"
        "f7839764c65634a4833477471534f2f792e4f392e73384e454b"
    ),
    "{SHA}L55TUjtiq8FBorTWAZ0jy6g129A=",
    "{SHA1}L55TUjtiq8FBorTWAZ0jy6g129A=",
    "{SHA1.HEX}2f9e53523b62abc141a2b4d6019d23cba835dbd0",
    "{SHA256}QQTTb42iwlQ0n4WDZ5Pr4CngyVcGOjTJHC6SAxh7VjE=",
    "{SHA256.HEX}4104d36f8da2c254349f85836793ebe029e0c957063a34c91c2e9203187b5631",
    (
        "{SHA512}VraY3v7bWkNbY0r+MyC7rz/c2SC2xQOkRvx7endrKY1HnRumqLYXgI6wv1ec6aldZoNHvKtxSQha"
        "yTyyeZUZew=="
    ),
    (
        "{SHA512.BASE64}VraY3v7bWkNbY0r+MyC7rz/c2SC2xQOkRvx7endrKY1HnRumqLYXgI6wv1ec6aldZoNHv"
        "KtxSQhayTyyeZUZew=="
    ),
    "{SSHA}UpxgEBkTeVLW+uKUP+PKTP+Qz+qm132Q",
    "{SSHA.HEX}ad8fe276b07b34695759aff74fa4b7f284f3232fb75bcca7",
    "{SSHA256}1PjoCl8kqc5bgkDezb5QCE7IvrvLH1/mMsWvlAlBLZPHOrBt",
    (
        "{SSHA512}rbsGp9pD+BruM55EEbezHuA+8YeXL00d/PeGuJ6y1xJ9zGpC9E/IFQr7hT335WjHbR8OmpXfG3X"
        "CyaRP+L6lhTqqPcQ="
    ),
    (
        "{SSHA512.BASE64}2RLX28il6+yTvDEScZbmeumgYGHySUyKJXm+lWe8PV+LbAdvUnPJZrrtqJuOsojHYrE6"
        "op+WxKriBGtHS1tsB1I6xbE="
    ),
    "{PLAIN-MD5}3cb4e732631f47e6eb961f34554b7cde",
    "{PLAIN-MD5.B64}PLTnMmMfR+brlh80VUt83g==",
    "{LDAP-MD5}PLTnMmMfR+brlh80VUt83g==",
    "{LDAP-MD5.HEX}3cb4e732631f47e6eb961f34554b7cde",
    "{SMD5}zxPjmpLqi/6Q7UOV5/RptOR6nc0=",
    "{PBKDF2}$1$VYF/nQ3o72aKHcKx$5000$6b708f069c6f67a816e07a2f9ffcac4f920e3caa",
    (
        "{PBKDF2.B64}JDEkZWxkak1KQ0k5MTV1Q2pxNiQ1MDAwJGYwZGE3ZjE4MzEzMDQ3ZDA5YTY0YjYxZWFjYTM4"
        "ZjRmM2Q3ZGY0OTA="
    ),
    (
        "{ARGON2I}$argon2i$v=19$m=32768,t=4,p=1$g+Obj8QMPGAkpwhZdltkrg$urDpfXSQjKy0qlKU0URg8S"
        "QQ6g4BLIK5DDP2amSf5mk"
    ),
    (
        "{ARGON2ID}$argon2id$v=19$m=65536,t=3,p=1$QmCBCq+b5w6XqgELxbs9DA$gDPxlIuXJJ+Rdh/MKUHI"
        "1y2YFW0ZQ7C6mOSl3j6BEM8"
    ),
    (
        "{ARGON2ID.HEX}246172676f6e32696424763d3139246d3d36353533362c743d332c703d31244d763950"
        "654875656478754436726e4573504c612f4124725a7a4b426173693678396737594a3144544b76307971"
        "66546f30344d454e7541714d50664c70677a4349"
    ),
    (
        "{SCRAM-SHA-256}4096,9DK+l2urw+ga4RZ5KTBMMQ==,g/hWa36ReDoOh0i7ggU+QlFOXB6ZjH6WvwbI9gE"
        "hUBM=,4fusUlA4AyWswW+w+3+sfymsfDAUW1dnY7+nAYfESyM="
    ),
    (
        "{SCRAM-SHA-256.B64}NDA5Niw0bCtqUmRXdXZ5eXVSdGhrVDBXYVl3PT0sUHpOc0I0TnA0Y21mWStWNjROc"
        "kdUZnhnMS9ySE44eEhJNEhFZDhxeW80UT0sVFdLanNPYTA1ZU83Z2lwbjYyMXNkSk9WK0FIQzNFeEt2L3VuY"
        "0xtMVN0OD0="
    ),
    (
        "{SHA512-CRYPT}$6$rounds=6000$bQLBfRsbuU3wzsgE$fsGaNAZx8nTGg4fofUSz3Vo2XVQrEseVogjzWw"
        "Jh/oIu1ISSaFmhVRD5f/Qfj3k3tQunD62w5T.geW.m3SE891"
    ),
    "{PBKDF2}$1$ODLzL4Wydr9olk3Z$1000$3d72873d8dde198f0cd9a1b8d1ba11cbf1cea1eb",
    "{CRYPT}$y$j75$vyCTOjPqUEnVfHlncyzeQ0$f4lmH4EkaOmEupbPSKw8Ak0QMfNXp9HWJUoWqQ7erk/",
    "{CRYPT}$2b$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e",
)

OF_NON_ASCII = (
    "{PLAIN}pässwörd €",
    "{PLAIN.HEX}70c3a4737377c3b6726420e282ac",
    "{DES-CRYPT}zWkx.AgIuCIUI",
    "{MD5-CRYPT}$1$g5o531LG$AVwxPgq0TwmUECjmvu1Gs1",
    "{SHA256-CRYPT}$5$FgDHJ4bW9Mu9MhSW$Q0A.4zNrUTQ3aPUaDhCP6d1vs//7lIZgwjnv9Z4citA",
    (
        "{SHA512-CRYPT}$6$2ADCx.vnbMFxLiFp$suGQwZ2pVIYugk2evwv.HsWUR3HiaXpXyIEnn2A/KXy91vAPeo"
        "4VFAKN8nzlr7Yys59RVbDLnYMPEKETaUHyp0"
    ),
    "{BLF-CRYPT}$2y$05$S/l71q7DL.XXICwV7cD3Ve4RhX5TeLJOHRGnxvkkAeVzO5yx0xAkS",
    "{SSHA}862Je1/DnvpYb/e/drI1BnZKuRMsEO1z",
    "{SHA256}6OaMpS98G+mszSip5GS3bP5KdnG8PCoQJgk4XyUToeI=",
    "{PBKDF2}$1$Ru9gOJMSU0Kcxalz$5000$5c0dec5657e9a21aea07f4ee1471dd391077d391",
    (
        "{ARGON2ID}$argon2id$v=19$m=65536,t=3,p=1$umgRzQFJLU8XHnH/7DWgLg$pcaRlS+dIA3dwKWjaw01"
        "NI75VVMXGXT1yaN+tLBXpco"
    ),
    (
        "{SCRAM-SHA-256}4096,rMZDk8LiCQgBJ1h38fJDFQ==,jJ52dcbsryfYZuZ7UUCaLGR7/cTOU/vdB2uiRof"
        "SPNk=,/dJiyOBUy/+9cV77TVYE7enXCwwyO7tHEWpg72Lriyo="
    ),
)
