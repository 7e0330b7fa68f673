"""What is hosted, for whom and how, as one YAML file: written from the tables, and the tables brought in line with it.

`yamltree` (octets → nodes with their lines) → `reading` (→ `values`) → `comparing` (what differs from the tables) →
`services`, `settling` (do it, or say what they would do). `present` reads the tables, `writing` makes a file of them.

The file says what shall be there. It has no people, tokens, labels, certificates or reports. What it does not name
stays as it is, and an organisation that it does not name is not touched.
"""
