"""The optimised-model cache: a session that was created before is created again without inference and optimisation.

`lookup` is what session creation calls. An `entry` is one prepared model: `key` and `versions` say what it depends on,
`digests` remembers the content of files, `folder` is the place on the disk, `encode`, `decode`, `weights` and `types` are
the format. What constants keep in the model's files stays there.
"""
