"""How well it works: two folders of photos, before and after, measured face by face; and attacks on what came out."""
