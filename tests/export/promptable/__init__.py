"""Tests of bundles: exported parts of promptable runs, their chain, its verification and its bench."""
