"""Reading AWS honestly and fast; the only room that imports aiobotocore."""
