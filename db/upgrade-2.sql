-- From version 2 to version 3: how fast a core is, how many slots a launch has.
ALTER TABLE attempt ADD COLUMN peak_flops REAL;
ALTER TABLE session ADD COLUMN slots INTEGER;
