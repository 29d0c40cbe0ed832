"""An AWS estate on loopback, seeded and repeatable: STS and Lightsail, and how they go wrong.

Any AWS client can be pointed at it: signatures are verified, keys belong to accounts, answers have the shapes of
botocore's service models. Nothing of the audit is imported here, so that neither can inherit the other's mistakes.
"""
